package activation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// An FDStore keeps file descriptors in the service manager, by name, so that
// they outlive a crash of the daemon (FDSTORE=1 of sd_notify(3),
// FileDescriptorStoreMax= of systemd.service(5)). Its methods block for as long
// as the service manager takes, which is seconds while it reloads.
type FDStore struct {
	address string
	// max is how many files it takes, or 0 if it does not tell.
	max int
}

// NewFDStore makes one of the environment, or nil if there is no service
// manager to keep anything.
func NewFDStore() *FDStore {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" || os.Getenv("FDSTORE") == "0" {
		return nil
	}
	max, err := strconv.Atoi(os.Getenv("FDSTORE"))
	if err != nil {
		max = 0 // systemd tells it from version 254 on
	}
	return &FDStore{address: address, max: max}
}

// barrierTimeout bounds the wait for the service manager.
const barrierTimeout = 30 * time.Second

// Put stores a file under a name, in the place of whatever has it. It returns
// once the service manager has dealt with all that was sent before.
func (s *FDStore) Put(ctx context.Context, name string, file *os.File) error {
	// Names are not unique: what has it goes first.
	if err := s.send("FDSTOREREMOVE=1\nFDNAME="+name, nil); err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	// FDPOLL=0: a pidfd whose process has ended, and a pipe whose writer has
	// gone, are still wanted.
	if err := s.send("FDSTORE=1\nFDPOLL=0\nFDNAME="+name, file); err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return s.Barrier(ctx)
}

// Remove drops what is stored under a name.
func (s *FDStore) Remove(name string) error {
	if err := s.send("FDSTOREREMOVE=1\nFDNAME="+name, nil); err != nil {
		return fmt.Errorf("remove %s from the store: %w", name, err)
	}
	return nil
}

// Barrier waits until the service manager has dealt with all that was sent
// before: it closes its end of a pipe then (BARRIER=1).
func (s *FDStore) Barrier(ctx context.Context) error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("wait for the service manager: %w", err)
	}
	defer read.Close()
	err = s.send("BARRIER=1", write)
	write.Close()
	if err != nil {
		return fmt.Errorf("wait for the service manager: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, barrierTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = read.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := read.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("wait for the service manager: %w", context.Cause(ctx))
	}
	return nil
}

// send is sd_pid_notify_with_fds. net's WriteMsgUnix does not work on a
// connected datagram socket, hence sendmsg.
func (s *FDStore) send(state string, file *os.File) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.address, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	var rights []byte
	if file != nil {
		dup, err := Dup(file)
		if err != nil {
			return err
		}
		defer dup.Close()
		raw, err := dup.SyscallConn()
		if err != nil {
			return err
		}
		if err := raw.Control(func(fd uintptr) { rights = unix.UnixRights(int(fd)) }); err != nil {
			return err
		}
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Write(func(fd uintptr) bool {
		sendErr = unix.Sendmsg(int(fd), []byte(state), rights, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(sendErr, unix.EAGAIN)
	})
	return errors.Join(err, sendErr)
}
