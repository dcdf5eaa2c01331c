package http1

import (
	"strings"
	"testing"
)

// The heads that the benchmarks and the allocation tests read.
const (
	loadHead = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: wrk\r\nAccept: */*\r\n\r\n"

	browserHead = "GET /articles/2024/05/a-fairly-usual-path?utm_source=newsletter&page=2 HTTP/1.1\r\n" +
		"Host: www.example.com\r\n" +
		"Connection: keep-alive\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
		"Accept-Language: en-US,en;q=0.5\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Referer: https://www.example.com/articles/2024/05/\r\n" +
		"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=all\r\n" +
		"Upgrade-Insecure-Requests: 1\r\n" +
		"Sec-Fetch-Mode: navigate\r\n\r\n"

	answerHead = "HTTP/1.1 200 OK\r\n" +
		"Server: nginx\r\n" +
		"Date: Mon, 03 Jun 2024 10:00:00 GMT\r\n" +
		"Content-Type: text/html; charset=utf-8\r\n" +
		"Content-Length: 5120\r\n" +
		"Connection: keep-alive\r\n" +
		"Cache-Control: no-store\r\n\r\n"
)

var usualLimits = Limits{MaxBytes: 64 << 10, MaxFields: 100, MaxTarget: 8 << 10}

func BenchmarkRequest(b *testing.B) {
	cookie := get("Cookie: session=" + strings.Repeat("0123456789abcdef", 256))
	for name, head := range map[string]string{"load": loadHead, "browser": browserHead, "cookie": cookie} {
		b.Run(name, func(b *testing.B) {
			buf := []byte(head)
			var r Request
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := r.Parse(buf, usualLimits); n != len(buf) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkResponse(b *testing.B) {
	buf := []byte(answerHead)
	var r Response
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := r.Parse(buf, usualLimits, false); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkRewrite is what a proxy does with a head beside reading it.
func BenchmarkRewrite(b *testing.B) {
	buf := []byte(browserHead)
	var r Request
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Parse(buf, usualLimits); err != nil {
			b.Fatal(err)
		}
		dst = appendRequest(dst[:0], &r)
	}
}

// appendRequest writes a request as a proxy does that adds nothing.
func appendRequest(dst []byte, r *Request) []byte {
	dst = AppendRequestLine(dst, r.Method, r.Path)
	for i := range r.Fields {
		if !r.HopByHop(i) {
			dst = AppendField(dst, r.Fields[i].Name, r.Fields[i].Value)
		}
	}
	return append(dst, "\r\n"...)
}

func BenchmarkChunked(b *testing.B) {
	var buf []byte
	for range 64 {
		buf = AppendChunkHeader(buf, 1000)
		buf = append(buf, make([]byte, 1000)...)
		buf = append(buf, "\r\n"...)
	}
	buf = AppendLastChunk(buf, nil)
	var c ChunkReader
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		c.Reset(usualLimits)
		at := 0
		for done := false; !done; {
			var skip, data int
			var err error
			if skip, data, done, err = c.Next(buf[at:]); err != nil {
				b.Fatal(err)
			}
			at += skip + data
		}
		if at != len(buf) {
			b.Fatal(at)
		}
	}
}
