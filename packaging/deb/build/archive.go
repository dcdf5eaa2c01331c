package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// writeArchive writes a .tar.gz of what a .deb installs, below a folder called
// name, without what concerns Debian only.
func writeArchive(file, name, deb string, modified time.Time) (err error) {
	data, err := os.Open(deb)
	if err != nil {
		return err
	}
	defer data.Close()
	member, err := findMember(bufio.NewReader(data), "data.tar.gz")
	if err != nil {
		return fmt.Errorf("read %s: %w", deb, err)
	}
	from, err := gzip.NewReader(member)
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	compressed, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	to := tar.NewWriter(compressed)
	if err := copyTar(to, tar.NewReader(from), name, modified); err != nil {
		return err
	}
	return errors.Join(to.Close(), compressed.Close())
}

// forDebian are folders of no use elsewhere.
var forDebian = []string{"usr/share/lintian", "etc/needrestart"}

func copyTar(to *tar.Writer, from *tar.Reader, folder string, modified time.Time) error {
	for {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		inside := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
		if isForDebian(inside) {
			continue
		}
		renamed := &tar.Header{
			Typeflag: header.Typeflag, Name: path.Join(folder, inside), Linkname: header.Linkname,
			Mode: header.Mode, Size: header.Size, ModTime: modified, Format: tar.FormatPAX,
			Uname: "root", Gname: "root",
		}
		if header.Typeflag == tar.TypeDir {
			renamed.Name += "/"
		}
		if err := to.WriteHeader(renamed); err != nil {
			return err
		}
		if _, err := io.Copy(to, from); err != nil {
			return err
		}
	}
}

func isForDebian(name string) bool {
	for _, folder := range forDebian {
		if name == folder || strings.HasPrefix(name, folder+"/") {
			return true
		}
	}
	return false
}

// findMember finds a member of an archive in the common format (deb(5), ar(5)):
// "!<arch>\n", then for each a header of 60 bytes, with its name in the first 16
// and its size in the 10 from 48 on, and its data, padded to an even length.
func findMember(r io.Reader, name string) (io.Reader, error) {
	const magic, headerSize = "!<arch>\n", 60
	start := make([]byte, len(magic))
	if _, err := io.ReadFull(r, start); err != nil || string(start) != magic {
		return nil, errors.New("it is no archive")
	}
	for {
		header := make([]byte, headerSize)
		if _, err := io.ReadFull(r, header); err != nil {
			return nil, fmt.Errorf("there is no %s in it: %w", name, err)
		}
		size, err := strconv.ParseInt(strings.TrimSpace(string(header[48:58])), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the size of a member: %w", err)
		}
		if strings.TrimRight(string(header[:16]), " /") == name {
			return io.LimitReader(r, size), nil
		}
		if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
			return nil, err
		}
	}
}
