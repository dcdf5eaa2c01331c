package load

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gracevisor/demoapp/websocket"
)

// blob is the answer to the first request of a Get client: one byte.
const blob = "HTTP/1.1 200 OK\r\nX-Pid: 1\r\nContent-Length: 1\r\n\r\na"

// answers reads a request and answers with raw bytes, and then once more for
// each of the others; after that it closes.
func answers(raw ...string) func(int, *net.TCPConn, *bufio.Reader) {
	return func(_ int, conn *net.TCPConn, r *bufio.Reader) {
		for _, answer := range raw {
			request, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, request.Body); err != nil {
				return
			}
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	}
}

// afterwards does more after a first function, on the same connection.
func afterwards(first, more func(int, *net.TCPConn, *bufio.Reader)) func(int, *net.TCPConn, *bufio.Reader) {
	return func(n int, conn *net.TCPConn, r *bufio.Reader) {
		first(n, conn, r)
		more(n, conn, r)
	}
}

// hang keeps the connection until its client hangs up.
func hang(_ int, _ *net.TCPConn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) }

func reset(_ int, conn *net.TCPConn, _ *bufio.Reader) { _ = conn.SetLinger(0) }

func chunked(body string) string {
	return "HTTP/1.1 200 OK\r\nX-Pid: 1\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

func sized(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Pid: 1\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// TestFaultsAreCounted lets servers do wrong, each in one way, and expects
// that it is counted once and called by its name.
func TestFaultsAreCounted(t *testing.T) {
	at := strings.Replace
	tests := []struct {
		name  string
		kind  Kind
		serve func(int, *net.TCPConn, *bufio.Reader)
		want  string
	}{
		{"no answer", Get, answers(""), "closed without an answer"},
		{"reset instead of an answer", Get, afterwards(answers(""), reset), "connection reset"},
		{"never an answer", Get, afterwards(answers(""), hang), "i/o timeout"},
		{"cut in the status line", Get, answers("HTTP/1.1 20"), "EOF"},
		{"cut in the head", Get, answers(blob[:30]), "head is cut"},
		{"cut in the body", Get, answers(blob[:len(blob)-1]), "1 bytes before its end"},
		{"never a body", Get, afterwards(answers(blob[:len(blob)-1]), hang), "i/o timeout"},
		{"other status", Get, answers("HTTP/1.1 502 Bad\r\nContent-Length: 4\r\n\r\nsick"), `502 instead of 200: "sick"`},
		{"other status, cut", Get, answers("HTTP/1.1 502 Bad\r\nContent-Length: 4\r\n\r\ns"), `502 instead of 200, and`},
		{"nobody made it", Get, answers(at(blob, "X-Pid: 1\r\n", "", 1)), "X-Pid"},
		{"two made it", Get, answers(at(blob, "X-Pid: 1\r\n", "X-Pid: 1\r\nX-Pid: 2\r\n", 1)), "X-Pid"},
		{"HTTP/1.0", Get, answers(at(blob, "1.1", "1.0", 1)), "status line"},
		{"no reason's space", Get, answers(at(blob, "200 OK", "200", 1)), "status line"},
		{"status 600", Get, answers(at(blob, "200", "600", 1)), "status line"},
		{"garbage", Get, answers("\x00\x01\x02\r\n\r\n"), "bad byte"},
		{"bare LF", Get, answers(at(blob, "\r\n", "\n", 1)), "line end"},
		{"CR in a field", Get, answers(at(blob, "Pid: 1", "Pid: 1\r", 1)), "line end"},
		{"space before colon", Get, answers(at(blob, "Pid:", "Pid :", 1)), "bad field"},
		{"folded field", Get, answers(at(blob, "Pid: 1", "Pid: 1\r\n fold", 1)), "bad field"},
		{"no colon", Get, answers(at(blob, "Pid: 1", "Pid 1", 1)), "bad field"},
		{"endless line", Get, answers("HTTP/1.1 200 " + strings.Repeat("x", maxLine)), "line is too long"},
		{"endless head", Get, answers("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 66)), "head is too long"},
		{"not framed", Get, answers(at(blob, "Content-Length: 1\r\n", "", 1)), "framed 0 times"},
		{"framed twice", Get, answers(at(blob, "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 1)), "framed 2 times"},
		{"two equal lengths", Get, answers(at(blob, "\r\n\r\n", "\r\nContent-Length: 1\r\n\r\n", 1)), "framed 2 times"},
		{"signed length", Get, answers(at(blob, "Length: 1", "Length: +1", 1)), "content-length"},
		{"framed 101", Get, answers(at(blob, "200", "101", 1)), "has no body"},
		{"unknown coding", Get, answers(at(chunked("1\r\na\r\n0\r\n\r\n"), "chunked", "gzip, chunked", 1)), "coding"},
		{"short body", Get, answers(sized("")), "0 bytes instead of 1"},
		{"long body", Get, answers(sized("ab")), "1 bytes too long"},
		{"other body", Get, answers(sized("b")), "differs"},
		{"more than the answer", Get, answers(blob + "x"), "nobody asked for"},
		{"two answers", Get, answers(blob + blob), "nobody asked for"},
		{"open after close", Get, afterwards(answers(at(blob, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)), hang), "kept open"},
		{"more after close", Get, answers(at(blob, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1) + "x"), "nobody asked for"},
		{"chunk size", Get, answers(chunked("x\r\na\r\n0\r\n\r\n")), "chunk size"},
		{"chunk extension", Get, answers(chunked("1;a\r\na\r\n0\r\n\r\n")), "chunk size"},
		{"chunk too long", Get, answers(chunked("1\r\naa\r\n0\r\n\r\n")), "chunk ends"},
		{"no last chunk", Get, answers(chunked("1\r\na\r\n")), "unexpected EOF"},
		{"cut in a chunk", Get, answers(chunked("2\r\na")), "unexpected EOF"},
		{"no end of trailers", Get, answers(chunked("1\r\na\r\n0\r\n")), "unexpected EOF"},
		{"bad trailer", Get, answers(chunked("1\r\na\r\n0\r\n: x\r\n\r\n")), "bad field"},
		{"idle connection speaks", Idle, func(_ int, conn *net.TCPConn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
			hang(0, nil, r)
		}, "408 instead of 200"},
		{"stream out of order", Stream, answers(chunked("6\r\nseq 2\n\r\n0\r\n\r\n")), `line "seq 2\n" instead of "seq 1\n"`},
		{"stream ends early", Stream, answers(chunked("6\r\nseq 1\n\r\n0\r\n\r\n")), "stream ends"},
		{"stream cut", Stream, answers(chunked("6\r\nseq 1\n\r\n")), "unexpected EOF"},
		{"stream goes on", Events, answers(sized(eventsText + "id: 11\n")), "instead of the end"},
		{"event missing", Events, answers(sized(eventsText[10:])), "instead of"},
		{"upload not whole", Upload, answers(sized("100000 00000000\n")), "differs"},
		{"early answer", Upload, afterwards(answers413, hang), "413 instead of 200"},
		{"no websocket", WebSocket, answers(sized("")), "200 instead of 101"},
		{"wrong accept", WebSocket, answers("HTTP/1.1 101 OK\r\nX-Pid: 1\r\nSec-WebSocket-Accept: x\r\n\r\n"), "Accept"},
		{"websocket cut", WebSocket, webSocketServer(nil), "unexpected EOF"},
		{"other echo", WebSocket, webSocketServer([]byte("other")), `"other" instead of`},
		{"tcp: other echo", TCP, tcpAnswers("1 other\n"), `"other" instead of`},
		{"tcp: cut", TCP, tcpAnswers("1 lo"), `after "1 lo"`},
		{"tcp: reset", TCP, afterwards(tcpAnswers(""), reset), "connection reset"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := start(t, Options{
				Address: serveConns(t, tt.serve), Clients: map[Kind]int{tt.kind: 1}, MaxRequests: 1,
				Patience: patience(tt.want), UploadTime: time.Millisecond,
			})
			if tt.kind == Idle {
				if err := l.AwaitConnected(bounded(t)); err != nil {
					t.Fatal(err)
				}
				l.Stop()
			}
			<-l.ended
			got := l.Report().Kinds[tt.kind]
			if got.Failures != 1 || got.Requests != 1 || len(got.Errors) != 1 || len(got.PIDs) != 0 {
				t.Fatalf("%+v", got)
			}
			if !strings.Contains(got.Errors[0], tt.want) {
				t.Errorf("error %q, want one with %q", got.Errors[0], tt.want)
			}
		})
	}
}

// patience is short only where the client is to lose it.
func patience(want string) time.Duration {
	if want == "i/o timeout" || want == "kept open" {
		return 50 * time.Millisecond
	}
	return time.Minute
}

var eventsText = func() string {
	var b strings.Builder
	for i := 1; i <= streamChunks; i++ {
		fmt.Fprintf(&b, "id: %d\ndata: event %d\n\n", i, i)
	}
	return b.String()
}()

// answers413 answers before the body has come.
func answers413(_ int, conn *net.TCPConn, r *bufio.Reader) {
	if _, err := http.ReadRequest(r); err == nil {
		_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Much\r\nX-Pid: 1\r\nContent-Length: 0\r\n\r\n")
	}
}

// webSocketServer makes a correct handshake, reads a message, and answers with
// another, or closes if there is none.
func webSocketServer(message []byte) func(int, *net.TCPConn, *bufio.Reader) {
	return func(_ int, conn *net.TCPConn, r *bufio.Reader) {
		request, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		accept := websocket.AcceptKey(request.Header.Get("Sec-WebSocket-Key"))
		fmt.Fprintf(conn, "HTTP/1.1 101 OK\r\nX-Pid: 1\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept)
		if _, err := websocket.ReadFrame(r, websocket.FromClient); err == nil && message != nil {
			f := websocket.Frame{Op: websocket.OpText, Fin: true, Payload: message}
			_, _ = conn.Write(websocket.AppendFrame(nil, f, websocket.FromServer, [4]byte{}))
			hang(0, nil, r)
		}
	}
}

func tcpAnswers(raw string) func(int, *net.TCPConn, *bufio.Reader) {
	return func(_ int, conn *net.TCPConn, r *bufio.Reader) {
		if _, err := r.ReadString('\n'); err == nil {
			_, _ = io.WriteString(conn, raw)
		}
	}
}

// TestFaultsBetweenRequests are those that only a second request, or the
// connection's end, can show.
func TestFaultsBetweenRequests(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	tests := []struct {
		name     string
		kind     Kind
		serve    func(int, *net.TCPConn, *bufio.Reader)
		requests int
		want     string
	}{
		{"closed as the next request arrives", IdleKept, answers(blob, ""), 2, "closed without an answer"},
		{"reset as the next request arrives", IdleKept, afterwards(answers(blob, ""), reset), 2, "connection reset"},
		{"tcp: two processes", TCP, func(_ int, conn *net.TCPConn, r *bufio.Reader) {
			for pid := 1; ; pid++ {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				fmt.Fprintf(conn, "%d %s", pid, line)
			}
		}, 2, "pid 2 answers on a connection of pid 1"},
		{"tcp: closed between lines", TCP, func(_ int, conn *net.TCPConn, r *bufio.Reader) {
			line, _ := r.ReadString('\n')
			fmt.Fprintf(conn, "1 %s", line)
		}, 2, ""},
		{"tcp: one more line at the end", TCP, afterwards(lineEcho("1"), func(_ int, conn *net.TCPConn, _ *bufio.Reader) {
			_, _ = io.WriteString(conn, "x")
		}), 2, "unexpected byte"},
		{"tcp: kept open at the end", TCP, afterwards(lineEcho("1"), func(int, *net.TCPConn, *bufio.Reader) {
			<-over
		}), 2, "kept open"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := start(t, Options{
				Address: serveConns(t, tt.serve), Clients: map[Kind]int{tt.kind: 1}, MaxRequests: tt.requests,
				Patience: patience(tt.want),
			})
			if tt.kind == IdleKept {
				if err := l.AwaitConnected(bounded(t)); err != nil {
					t.Fatal(err)
				}
				l.Stop()
			}
			<-l.ended
			got := l.Report().Kinds[tt.kind]
			if got.Failures != 1 || !strings.Contains(got.Errors[0], tt.want) {
				t.Errorf("%+v, want one failure with %q", got, tt.want)
			}
		})
	}
}
