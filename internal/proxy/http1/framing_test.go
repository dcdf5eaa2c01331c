package http1

import "testing"

func TestRequestFraming(t *testing.T) {
	const chunked = "Transfer-Encoding: chunked"
	run(t, requestParser(usualLimits), []headCase{
		{name: "RFC 9112 §6.3: neither field", raw: get(), want: "Framing=0 Length=0"},
		{name: "RFC 9112 §6.2: length", raw: get("content-LENGTH: 5"), want: "Framing=1 Length=5"},
		{name: "RFC 9112 §6.2: length 0", raw: get("Content-Length: 0"), want: "Framing=1 Length=0"},
		{name: "RFC 9112 §6.2: leading zeros", raw: get("Content-Length: 005"), want: "Framing=1 Length=5"},
		{name: "RFC 9112 §6.2: white space around", raw: get("Content-Length:  5 "), want: "Framing=1 Length=5"},
		{name: "RFC 9112 §6.2: largest", raw: get("Content-Length: 9223372036854775807"), want: "Length=9223372036854775807"},
		{name: "RFC 9110 §8.6: overflow by one", raw: get("Content-Length: 9223372036854775808"), err: errLengthLarge},
		{name: "RFC 9110 §8.6: overflow by a digit", raw: get("Content-Length: 10000000000000000000"), err: errLengthLarge},
		{name: "RFC 9110 §8.6: overflow to 5 of 64 bits", raw: get("Content-Length: 18446744073709551621"), err: errLengthLarge},
		{name: "RFC 9112 §6.2: plus", raw: get("Content-Length: +5"), err: errLength},
		{name: "RFC 9112 §6.2: minus", raw: get("Content-Length: -5"), err: errLength},
		{name: "RFC 9112 §6.2: minus zero", raw: get("Content-Length: -0"), err: errLength},
		{name: "RFC 9112 §6.2: space inside", raw: get("Content-Length: 5 5"), err: errLength},
		{name: "RFC 9112 §6.2: hexadecimal", raw: get("Content-Length: 0x5"), err: errLength},
		{name: "RFC 9112 §6.2: underscore", raw: get("Content-Length: 1_0"), err: errLength},
		{name: "RFC 9112 §6.2: fraction", raw: get("Content-Length: 5.0"), err: errLength},
		{name: "RFC 9112 §6.2: digits beyond ASCII", raw: get("Content-Length: \xd9\xa5"), err: errLength},
		{name: "RFC 9112 §6.2: empty", raw: get("Content-Length:"), err: errLength},
		{name: "RFC 9112 §6.3: two equal", raw: get("Content-Length: 5", "Content-Length: 5"), err: errLengthTwice},
		{name: "RFC 9112 §6.3: two that differ", raw: get("Content-Length: 5", "content-length: 6"), err: errLengthTwice},
		{name: "RFC 9112 §6.3: list of equals", raw: get("Content-Length: 5, 5"), err: errLength},
		{name: "RFC 9112 §6.3: list of one", raw: get("Content-Length: 5,"), err: errLength},

		{name: "RFC 9112 §6.1: chunked", raw: get(chunked), want: "Framing=2 Length=0 -Transfer-Encoding=chunked"},
		{name: "RFC 9112 §7: chunked in any case", raw: get("TRANSFER-encoding:\tCHUNKED\t"), want: "Framing=2"},
		{name: "RFC 9112 §6.1: with length", raw: get(chunked, "Content-Length: 5"), err: errLengthCoding},
		{name: "RFC 9112 §6.1: after length", raw: get("Content-Length: 5", chunked), err: errLengthCoding},
		{name: "RFC 9112 §6.1: with length 0", raw: get("Content-Length: 0", chunked), err: errLengthCoding},
		{name: "RFC 9112 §6.1: in HTTP/1.0", raw: "POST / HTTP/1.0\r\n" + chunked + "\r\n\r\n", err: errCodingOld},
		{name: "RFC 9112 §6.1: in HTTP/1.0 with length", raw: "POST / HTTP/1.0\r\nContent-Length: 5\r\n" + chunked + "\r\n\r\n", err: errCodingOld},
		{name: "RFC 9112 §6.1: chunked twice in a list", raw: get("Transfer-Encoding: chunked, chunked"), err: errCodingTwice},
		{name: "RFC 9112 §6.1: chunked twice", raw: get(chunked, chunked), err: errCodingTwice},
		{name: "RFC 9112 §6.3: chunked not last", raw: get("Transfer-Encoding: chunked, gzip"), err: errCodingFinal},
		{name: "RFC 9112 §6.3: chunked not last of two", raw: get(chunked, "Transfer-Encoding: identity"), err: errCodingFinal},
		{name: "RFC 9112 §6.3: no chunked", raw: get("Transfer-Encoding: gzip"), err: errCodingFinal},
		{name: "RFC 9112 §6.3: identity", raw: get("Transfer-Encoding: identity"), err: errCodingFinal},
		{name: "RFC 9112 §6.3: begins like chunked", raw: get("Transfer-Encoding: chunkedx"), err: errCodingFinal},
		{name: "RFC 9112 §6.3: ends like chunked", raw: get("Transfer-Encoding: xchunked"), err: errCodingFinal},
		{name: "RFC 9112 §6.1: unknown before chunked", raw: get("Transfer-Encoding: gzip, chunked"), err: errCodingOther},
		{name: "RFC 9112 §6.1: unknown before chunked of two", raw: get("Transfer-Encoding: br;q=1", chunked), err: errCodingOther},
		{name: "RFC 9112 §7.1: chunked with a parameter", raw: get("Transfer-Encoding: chunked;x=y"), err: errCoding},
		{name: "RFC 9112 §6.1: in quotes", raw: get("Transfer-Encoding: \"chunked\""), err: errCoding},
		{name: "RFC 9112 §6.1: comma in quotes", raw: get("Transfer-Encoding: gzip;x=\",chunked\""), err: errCoding},
		{name: "RFC 9112 §6.1: two words", raw: get("Transfer-Encoding: chunked gzip"), err: errCoding},
		{name: "RFC 9112 §6.1: empty", raw: get("Transfer-Encoding:"), err: errCoding},
		{name: "RFC 9112 §6.1: empty element first", raw: get("Transfer-Encoding: , chunked"), err: errCoding},
		{name: "RFC 9112 §6.1: empty element last", raw: get("Transfer-Encoding: chunked,"), err: errCoding},
		{name: "RFC 9110 §5.5: vertical tab before chunked", raw: get("Transfer-Encoding: \vchunked"), err: errValue, field: "Transfer-Encoding"},
		{name: "RFC 9110 §5.1: another name", raw: get("Transfer-Encodin: chunked", "X-Content-Length: 7"), want: "Framing=0"},
	})
}

func TestResponseFraming(t *testing.T) {
	const chunked = "Transfer-Encoding: chunked"
	answer := func(status string, fields ...string) string {
		return "HTTP/1.1 " + status + "\r\n" + lines(fields)
	}
	cases := []headCase{
		{name: "RFC 9112 §6.3: until close", raw: ok(), want: "Framing=3 KeepAlive=false"},
		{name: "RFC 9112 §6.3: length", raw: ok("Content-Length: 5"), want: "Framing=1 Length=5 KeepAlive=true"},
		{name: "RFC 9112 §6.3: length 0", raw: ok("Content-Length: 0"), want: "Framing=1 Length=0 KeepAlive=true"},
		{name: "RFC 9112 §6.3: chunked", raw: ok(chunked), want: "Framing=2 KeepAlive=true"},
		{name: "RFC 9112 §6.3: both", raw: ok(chunked, "Content-Length: 5"), err: errLengthCoding},
		{name: "RFC 9112 §6.3: two lengths", raw: ok("Content-Length: 5", "Content-Length: 5"), err: errLengthTwice},
		{name: "RFC 9112 §6.3: bad length", raw: ok("Content-Length: 5,5"), err: errLength},
		{name: "RFC 9112 §6.3: another coding", raw: ok("Transfer-Encoding: gzip, chunked"), err: errCodingOther},
		{name: "RFC 9112 §6.3: chunked not last", raw: ok("Transfer-Encoding: chunked, gzip"), err: errCodingFinal},
		{name: "RFC 9112 §6.3: chunked twice", raw: ok(chunked, chunked), err: errCodingTwice},
		{name: "RFC 9112 §6.1: chunked in HTTP/1.0", raw: "HTTP/1.0 200 OK\r\n" + chunked + "\r\n\r\n", err: errCodingOld},
		{name: "RFC 9112 §6.3: HTTP/1.0 with length", raw: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", want: "Framing=1 Length=5 KeepAlive=false"},
		{name: "RFC 9112 §6.3: 100", raw: answer("100 Continue"), want: "Framing=0 KeepAlive=true"},
		{name: "RFC 9112 §6.3: 103 with fields", raw: answer("103 Early Hints", "Link: </x>"), want: "Framing=0 +Link=</x>"},
		{name: "RFC 9112 §6.1: 100 with a coding", raw: answer("100 Continue", chunked), err: errCodingNone},
		{name: "RFC 9110 §8.6: 100 with a length", raw: answer("100 Continue", "Content-Length: 5"), err: errLengthNone},
		{name: "RFC 9110 §8.6: 101 with length 0", raw: answer("101 Switching", "Content-Length: 0"), want: "Framing=0"},
		{name: "RFC 9112 §6.3: 204", raw: answer("204 No Content"), want: "Framing=0 KeepAlive=true"},
		{name: "RFC 9112 §6.3: 204 with length 0", raw: answer("204 No Content", "Content-Length: 0"), want: "Framing=0 KeepAlive=true"},
		{name: "RFC 9110 §8.6: 204 with a length", raw: answer("204 No Content", "Content-Length: 5"), want: "Framing=0 KeepAlive=false"},
		{name: "RFC 9112 §6.1: 204 with chunked", raw: answer("204 No Content", chunked), want: "Framing=0 KeepAlive=false"},
		{name: "RFC 9112 §6.3: 205 has a body", raw: answer("205 Reset Content", "Content-Length: 5"), want: "Framing=1 Length=5"},
		{name: "RFC 9112 §6.3: 304 with length", raw: answer("304 Not Modified", "Content-Length: 5"), want: "Framing=0 Length=0 KeepAlive=true"},
		{name: "RFC 9112 §6.3: 304 with chunked", raw: answer("304 Not Modified", chunked), want: "Framing=0 KeepAlive=true"},
		{name: "RFC 9112 §6.3: 304 with two lengths", raw: answer("304 Not Modified", "Content-Length: 5", "Content-Length: 6"), err: errLengthTwice},
	}
	run(t, responseParser(usualLimits, false), cases)
	run(t, responseParser(usualLimits, true), []headCase{
		{name: "RFC 9112 §6.3: HEAD", raw: ok(), want: "Framing=0 KeepAlive=true"},
		{name: "RFC 9112 §6.3: HEAD with length", raw: ok("Content-Length: 5"), want: "Framing=0 Length=0 KeepAlive=true"},
		{name: "RFC 9112 §6.3: HEAD with chunked", raw: ok(chunked), want: "Framing=0 KeepAlive=true"},
		{name: "RFC 9112 §6.3: HEAD with both", raw: ok(chunked, "Content-Length: 5"), err: errLengthCoding},
		{name: "RFC 9112 §6.3: HEAD with 404", raw: answer("404 Not Found", "Content-Length: 5"), want: "Framing=0"},
	})
}
