package wire

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bigTable has many apps, more than a datagram holds.
func bigTable() *Table {
	t := &Table{Revision: 1 << 60, MaxConnections: 5}
	for range 2000 {
		t.Apps = append(t.Apps, App{
			Name: "demo", Listeners: []string{"127.0.0.1:8080"}, Mode: "http", Disposition: Serving,
			Instances: []Instance{{ID: "demo/1", Role: RoleServing, Network: "tcp", Address: "127.0.0.1:10000"}},
			Traffic: Traffic{
				HoldTimeout: time.Second, HoldMax: 1, HeaderTimeout: 2, IdleTimeout: 3, ConnectTimeout: 4, AnswerTimeout: 5,
				BodyTimeout: 6, MaxHeaderBytes: 7, MaxHeaders: 8, MaxBodyBytes: 9, MaxAnswerHeaderBytes: 10,
				MaxAnswerHeaders: 11, MaxConnections: 12, TrustedProxies: []string{"10.0.0.0/8"}, Via: true,
				Upgrades: []string{"websocket"}, AccessLog: "json",
			},
		})
	}
	return t
}

func TestTableRoundTrip(t *testing.T) {
	keepsFDs(t)
	want := bigTable()
	memfd, err := WriteTable(want)
	if err != nil {
		t.Fatal(err)
	}
	defer memfd.Close()
	a, b := pair(t)
	for range 2 { // each worker reads the same file
		if err := a.Send(&TableOrder{Revision: want.Revision}, memfd); err != nil {
			t.Fatal(err)
		}
		_, files, err := b.Receive()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadTable(files[0])
		closeAll(files)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("the table is read back as another, %v", err)
		}
	}
}

// TestTableIsSealed: who has the file can change neither its bytes nor its size,
// nor make it a thing that can be changed.
func TestTableIsSealed(t *testing.T) {
	memfd, err := WriteTable(&Table{Revision: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer memfd.Close()
	for name, change := range map[string]func() error{
		"written":  func() error { _, err := memfd.WriteAt([]byte("x"), 0); return err },
		"appended": func() error { _, err := memfd.Write([]byte("x")); return err },
		"shrunk":   func() error { return memfd.Truncate(1) },
		"grown":    func() error { return memfd.Truncate(1 << 20) },
		"sealed": func() error {
			_, err := unix.FcntlInt(memfd.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
			return err
		},
	} {
		if err := change(); !errors.Is(err, unix.EPERM) {
			t.Errorf("it can be %s: %v", name, err)
		}
	}
	if table, err := ReadTable(memfd); err != nil || table.Revision != 1 {
		t.Errorf("read %+v, %v", table, err)
	}
}

// TestReadTableRefuses what is no table.
func TestReadTableRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		size    int64
		want    string
	}{
		"an empty file":  {"", 0, "unexpected end"},
		"half a table":   {`{"revision":1,"apps":[`, 0, "unexpected end"},
		"something else": {"#!/bin/sh", 0, "invalid character"},
		"a huge file":    {"", maxTable + 1, "too many"},
	} {
		f, err := os.CreateTemp(t.TempDir(), "table")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(c.content); err != nil {
			t.Fatal(err)
		}
		if c.size > 0 {
			if err := f.Truncate(c.size); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ReadTable(f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := ReadTable(r); err == nil {
		t.Error("a pipe is read as a table")
	}
}
