package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"time"
)

// write writes what the options ask for. All but the endless output has been
// written when it returns.
func (a *app) write() error {
	if a.sayError != "" {
		fmt.Fprintln(os.Stderr, a.sayError)
	}
	var once []byte
	if a.say != "" {
		once = append(once, a.say+"\n"...)
	}
	if a.longLine > 0 {
		once = append(once, bytes.Repeat([]byte("x"), a.longLine)...)
		once = append(once, '\n')
	}
	for i := range a.binary {
		once = append(once, byte(i))
	}
	if len(once) > 0 {
		if _, err := os.Stdout.Write(once); err != nil {
			return err
		}
	}
	if a.closeStdout {
		return os.Stdout.Close()
	}
	if a.writeRate > 0 {
		go a.writeLines() // ends with its total, or with the process
	}
	return nil
}

// lineSize is the length in bytes of the lines that --write-rate writes: a
// number of ten digits from 0, a space, a filler, and the line's end.
const lineSize = 100

// writeLines writes numbered lines at the rate of the options.
func (a *app) writeLines() {
	const interval = 10 * time.Millisecond
	perTick := max(int(a.writeRate*1e6*interval.Seconds()/lineSize), 1)
	left := int(a.writeTotal * 1e6 / lineSize)
	endless := left == 0
	filler := string(bytes.Repeat([]byte("."), lineSize-12))
	tick := time.NewTicker(interval)
	defer tick.Stop()
	number := 0
	for range tick.C {
		n := perTick
		if !endless {
			n = min(n, left)
			left -= n
		}
		block := make([]byte, 0, n*lineSize)
		for range n {
			block = fmt.Appendf(block, "%010d %s\n", number, filler)
			number++
		}
		if _, err := os.Stdout.Write(block); err != nil {
			log.Printf("write lines: %v", err)
			return
		}
		if !endless && left == 0 {
			return
		}
	}
}
