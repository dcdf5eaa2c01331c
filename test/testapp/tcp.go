package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"os"
	"sync"
)

// serveTCP serves each connection. When it is told to stop, it accepts nothing
// more and serves what it has accepted to its end.
func (a *app) serveTCP(listener net.Listener, stop <-chan os.Signal, serve func(net.Conn)) error {
	var serving sync.WaitGroup
	// Ends when the listener is closed.
	go func() {
		<-stop
		if err := listener.Close(); err != nil {
			log.Print(err)
		}
	}()
	for {
		conn, err := listener.Accept()
		if err != nil {
			serving.Wait()
			return nil
		}
		serving.Go(func() { serve(conn) }) // ends when the client ends its side
	}
}

// echoLines answers each line with "PID line".
func echoLines(conn net.Conn) {
	defer conn.Close()
	pid := os.Getpid()
	for r := bufio.NewReader(conn); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(conn, "%d %s", pid, line); err != nil {
			return
		}
	}
}
