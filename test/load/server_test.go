package load

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"gracevisor/demoapp/websocket"
)

// number returns a number that the client has sent in its query.
func number(r *http.Request, name string) int {
	n, err := strconv.Atoi(r.FormValue(name))
	if err != nil {
		panic(err)
	}
	return n
}

// correctApp serves what the package's documentation asks for, as process 1.
func correctApp() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /blob", func(w http.ResponseWriter, r *http.Request) {
		body := Pattern(number(r, "size"))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		<-time.After(time.Duration(number(r, "ms")) * time.Millisecond)
		w.WriteHeader(http.StatusEarlyHints) // interim answers are no failure
		fmt.Fprintf(w, "slow %s\n", r.FormValue("ms"))
	})
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		sum := crc32.NewIEEE()
		for i := 1; i <= number(r, "chunks"); i++ {
			fmt.Fprintf(io.MultiWriter(w, sum), "seq %d\n", i)
			w.(http.Flusher).Flush()
		}
		fmt.Fprintf(w, "sum %08x\n", sum.Sum32())
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		for i := 1; i <= number(r, "count"); i++ {
			fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", i, i)
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("POST /sink", func(w http.ResponseWriter, r *http.Request) {
		sum := crc32.NewIEEE()
		n, _ := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %08x\n", n, sum.Sum32())
	})
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		if conn, reader, err := websocket.Accept(w, r); err == nil {
			defer conn.Close()
			_ = websocket.Echo(conn, reader)
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pid", "1")
		mux.ServeHTTP(w, r)
	})
}

func serveApp(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// serveConns serves each connection by a function, which is given the number
// of the connection, from 1; the connection is closed after it. The server
// ends, and is waited for, with the test.
func serveConns(t *testing.T, serve func(n int, conn *net.TCPConn, r *bufio.Reader)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	// Ends with the listener; each connection ends when its client hangs up.
	go func() {
		defer close(ended)
		for n := 1; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(n, conn.(*net.TCPConn), bufio.NewReader(conn))
			}()
		}
	}()
	return listener.Addr().String()
}

// lineEcho serves a connection as a TCP app does.
func lineEcho(pid string) func(int, *net.TCPConn, *bufio.Reader) {
	return func(_ int, conn *net.TCPConn, r *bufio.Reader) {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "%s %s", pid, line)
		}
	}
}
