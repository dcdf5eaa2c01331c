package logs

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"
)

// BenchmarkThroughput is the way of an app's output into its file.
func BenchmarkThroughput(b *testing.B) {
	for _, bench := range []struct {
		name   string
		line   int
		follow bool
	}{{"lines of 100", 100, false}, {"lines of 100 followed", 100, true}, {"one line", 0, false}} {
		b.Run(bench.name, func(b *testing.B) {
			s := NewStore(slog.New(slog.DiscardHandler))
			r, w, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			chunk := bytes.Repeat([]byte("x"), chunkSize)
			for i := bench.line; i > 0 && i < len(chunk); i += bench.line {
				chunk[i-1] = '\n'
			}
			a := s.Attach(stdout("demo", 1), r, Target{Path: b.TempDir() + "/app.out", MaxSize: 64, MaxKept: 1})
			if bench.follow {
				_, lines, err := s.Output(b.Context(), "demo", 0, true)
				if err != nil {
					b.Fatal(err)
				}
				go func() { // ends when the benchmark does
					for range lines {
					}
				}()
			}
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Write(chunk); err != nil {
					b.Fatal(err)
				}
			}
			w.Close()
			<-a.Done()
			if err := s.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkIdleSource tells what a source costs that has said something and is
// silent: all in all, and without its goroutine's stack.
func BenchmarkIdleSource(b *testing.B) {
	const sources = 1000
	folder := b.TempDir()
	for b.Loop() {
		s := NewStore(slog.New(slog.DiscardHandler))
		before := memory()
		ends := make([]*os.File, sources)
		for i := range ends {
			r, w, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			ends[i] = w
			s.Attach(stdout("demo", uint64(i)), r, Target{Path: folder + "/app.out"})
			if _, err := io.WriteString(w, strings.Repeat("hello ", 10)+"\nbegun"); err != nil {
				b.Fatal(err)
			}
		}
		for i := range ends {
			if err := s.Settle(b.Context(), "demo", uint64(i)); err != nil {
				b.Fatal(err)
			}
		}
		after := memory()
		stack := (after.StackInuse - before.StackInuse) / sources
		b.ReportMetric(float64((after.HeapAlloc-before.HeapAlloc)/sources+stack), "B/source")
		b.ReportMetric(float64(stack), "stack-B/source")
		for _, w := range ends {
			w.Close()
		}
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func memory() *runtime.MemStats {
	runtime.GC()
	runtime.GC() // the second one empties what sync.Pool kept
	m := new(runtime.MemStats)
	runtime.ReadMemStats(m)
	return m
}
