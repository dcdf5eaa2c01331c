package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// faults are answers that no server should give, by their names. After one the
// connection is closed, or kept if the name begins with "stall".
var faults = map[string]string{
	"nothing":        "",
	"garbage":        "\x00\x01\x02 this is no HTTP\r\n\r\n",
	"half-status":    "HTTP/1.1 2",
	"half-head":      "HTTP/1.1 200 OK\r\nX-Half: ",
	"short":          "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
	"short-chunked":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
	"cut-chunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
	"long":           "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nthis and more",
	"two-answers":    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo",
	"bad-chunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nonly this\r\n0\r\n\r\n",
	"length-coding":  "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nboth\r\n0\r\n\r\n",
	"two-lengths":    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfive!",
	"bare-lf":        "HTTP/1.1 200 OK\nContent-Length: 4\n\nbare",
	"version":        "HTTP/3.0 200 OK\r\nContent-Length: 4\r\n\r\nthree",
	"status":         "HTTP/1.1 2000 OK\r\nContent-Length: 4\r\n\r\nlong",
	"unexpected-101": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	"interim-only":   strings.Repeat("HTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\n", 50),
	"huge-head":      "HTTP/1.1 200 OK\r\nX-Huge: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
	"many-fields":    "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Many: x\r\n", 10_000) + "\r\n",
	"stall":          "",
	"stall-head":     "HTTP/1.1 200 OK\r\nX-Half: ",
	"stall-body":     "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
}

// fault answers wrongly: in the way that "kind" names, or by a reset. The
// request's body has been read.
func fault(w http.ResponseWriter, r *http.Request) {
	kind := r.FormValue("kind")
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if kind == "reset" {
		reset(w)
		return
	}
	raw, ok := faults[kind]
	if !ok {
		http.Error(w, fmt.Sprintf("there is no fault %q", kind), http.StatusNotFound)
		return
	}
	conn := hijack(w)
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		return
	}
	if strings.HasPrefix(kind, "stall") {
		_, _ = io.Copy(io.Discard, conn) // until the other side hangs up
	}
}

// interim sends as many 103 answers as "count" says before the final one.
func interim(w http.ResponseWriter, r *http.Request) {
	for i := range number(r, "count", 1) {
		w.Header().Set("Link", fmt.Sprintf("</%d.css>; rel=preload", i))
		w.WriteHeader(http.StatusEarlyHints)
	}
	fmt.Fprintln(w, "final")
}

// trailers sends a trailer that it has announced and one that it has not, and
// tells those of the request.
func trailers(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Trailer", "X-Announced")
	fmt.Fprintf(w, "%d bytes, %d trailers\n", len(body), len(r.Trailer))
	for name, values := range r.Trailer {
		fmt.Fprintf(w, "%s: %s\n", name, strings.Join(values, ", "))
	}
	w.Header().Set("X-Announced", strconv.Itoa(len(body)))
	w.Header().Set(http.TrailerPrefix+"X-Unannounced", "yes")
}

// describeRequest tells what has come: the request's line, its fields as
// net/http names them, sorted, and its body's length.
func describeRequest(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	fmt.Fprintf(w, "%s %s %s\nHost: %s\n", r.Method, r.RequestURI, r.Proto, r.Host)
	_ = r.Header.Write(w)
	fmt.Fprintf(w, "\nbody of %d bytes, framing %v %d\n", n, r.TransferEncoding, r.ContentLength)
}
