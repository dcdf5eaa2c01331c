package http1

import (
	"net/netip"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	target := func(method, target string) string {
		return method + " " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"
	}
	run(t, requestParser(usualLimits), []headCase{
		{name: "RFC 9112 §3.2.1: origin form", raw: target("GET", "/x/../%2F?a=/b?c"), want: "Path=/x/../%2F?a=/b?c Host=a"},
		{name: "RFC 9112 §3.2.1: origin form that looks like an authority", raw: target("GET", "//evil/x"), want: "Path=//evil/x Host=a"},
		{name: "RFC 9112 §3.2.1: no slash", raw: target("GET", "x"), err: errTargetForm},
		{name: "RFC 9112 §3.2.1: query alone", raw: target("GET", "?x"), err: errTargetForm},
		{name: "RFC 9110 §7.1: fragment", raw: target("GET", "/x#y"), err: errTarget},
		{name: "RFC 9110 §7.1: escaped fragment", raw: target("GET", "/x%23y"), want: "Path=/x%23y"},
		{name: "RFC 9112 §3.2: what browsers do not escape", raw: target("GET", "/a|b?f[x]={y}&z=^`\\&p=100%"), want: "Path=/a|b?f[x]={y}&z=^`\\&p=100%"},
		{name: "RFC 9112 §3.2: what they do", raw: target("GET", "/?a=<b>"), err: errTarget},
		{name: "RFC 9112 §3.2: beyond ASCII", raw: target("GET", "/\xc3\xa4"), err: errTarget},
		{name: "RFC 9112 §3.2: NUL", raw: target("GET", "/\x00"), err: errTarget},
		{name: "RFC 9112 §3.2: DEL", raw: target("GET", "/\x7f"), err: errTarget},

		{name: "RFC 9112 §3.2.2: absolute form replaces Host", raw: target("GET", "http://b:81/x?y"), want: "Target=http://b:81/x?y Host=b:81 Path=/x?y +Host=a"},
		{name: "RFC 9112 §3.2.2: scheme in any case", raw: target("GET", "HTTPS://b/"), want: "Host=b Path=/"},
		{name: "RFC 9112 §3.2.2: IP-literal", raw: target("GET", "http://[::1]:81/x"), want: "Host=[::1]:81 Path=/x"},
		{name: "RFC 9112 §3.2.2: HTTP/1.0 without Host", raw: "GET http://b/x HTTP/1.0\r\n\r\n", want: "Host=b Path=/x"},
		{name: "RFC 9112 §3.2.1: absolute form without a path", raw: target("GET", "http://b"), want: "Host=b Path=/"},
		{name: "RFC 9112 §3.2.1: absolute form with a query only", raw: target("GET", "http://b?x=/y"), want: "Host=b Path=/?x=/y"},
		{name: "RFC 9112 §3.2.2: another scheme", raw: target("GET", "ftp://b/"), err: errScheme},
		{name: "RFC 9112 §3.2.2: a scheme that begins alike", raw: target("GET", "httpx://b/"), err: errScheme},
		{name: "RFC 9112 §3.2.2: no scheme", raw: target("GET", "://b/"), err: errTargetForm},
		{name: "RFC 9112 §3.2.2: one slash", raw: target("GET", "http:/b/"), err: errTargetForm},
		{name: "RFC 9110 §4.2.1: no host", raw: target("GET", "http:///x"), err: errAuthority},
		{name: "RFC 9110 §4.2.1: port alone", raw: target("GET", "http://:80/x"), err: errAuthority},
		{name: "RFC 9110 §4.2.4: user information", raw: target("GET", "http://u:p@b/x"), err: errUserinfo},
		{name: "RFC 9110 §4.2.4: empty user information", raw: target("GET", "http://@b/x"), err: errUserinfo},
		{name: "RFC 9110 §4.2.4: @ in the path", raw: target("GET", "http://b/x@y"), want: "Host=b Path=/x@y"},
		{name: "RFC 9110 §4.2.4: @ in the query", raw: target("GET", "http://b?x@y"), want: "Host=b Path=/?x@y"},
		{name: "RFC 3986 §3.2: backslash in the authority", raw: target("GET", "http://b\\@c/x"), err: errUserinfo},
		{name: "RFC 3986 §3.2: backslash ends no authority", raw: target("GET", "http://b\\c/x"), err: errAuthority},
		{name: "RFC 9112 §3.2: Host is missing beside absolute form", raw: "GET http://b/ HTTP/1.1\r\n\r\n", err: errHostMissing},
		{name: "RFC 9112 §3.2: Host is bad beside absolute form", raw: "GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", err: errHost},

		{name: "RFC 9112 §3.2.3: authority form", raw: target("CONNECT", "b:443"), want: "Method=CONNECT Path=b:443 Host=b:443"},
		{name: "RFC 9112 §3.2.3: authority form with IP-literal", raw: target("CONNECT", "[::1]:443"), want: "Host=[::1]:443"},
		{name: "RFC 9112 §3.2.3: no port", raw: target("CONNECT", "b"), err: errConnectForm},
		{name: "RFC 9112 §3.2.3: empty port", raw: target("CONNECT", "b:"), err: errConnectForm},
		{name: "RFC 9112 §3.2.3: IP-literal without port", raw: target("CONNECT", "[::1]"), err: errConnectForm},
		{name: "RFC 9112 §3.2.3: CONNECT in origin form", raw: target("CONNECT", "/"), err: errConnectForm},
		{name: "RFC 9112 §3.2.3: CONNECT in absolute form", raw: target("CONNECT", "http://b/"), err: errConnectForm},
		{name: "RFC 9112 §3.2.3: CONNECT with user information", raw: target("CONNECT", "u@b:443"), err: errConnectForm},
		{name: "RFC 9112 §3.2.3: authority form without CONNECT", raw: target("GET", "b:443"), err: errTargetForm},
		{name: "RFC 9110 §9.1: methods are case-sensitive", raw: target("connect", "b:443"), err: errTargetForm},

		{name: "RFC 9112 §3.2.4: asterisk form", raw: target("OPTIONS", "*"), want: "Path=* Host=a"},
		{name: "RFC 9112 §3.2.4: OPTIONS without a path", raw: target("OPTIONS", "http://b"), want: "Path=* Host=b"},
		{name: "RFC 9112 §3.2.4: OPTIONS with a path", raw: target("OPTIONS", "http://b/"), want: "Path=/ Host=b"},
		{name: "RFC 9112 §3.2.4: OPTIONS with a query only", raw: target("OPTIONS", "http://b?x"), want: "Path=/?x Host=b"},
		{name: "RFC 9112 §3.2.4: asterisk without OPTIONS", raw: target("GET", "*"), err: errAsterisk},
		{name: "RFC 9112 §3.2.4: asterisk and more", raw: target("OPTIONS", "*/"), err: errTargetForm},
	})
}

func TestHost(t *testing.T) {
	host := func(v string) string { return "GET / HTTP/1.1\r\nHost:" + v + "\r\n\r\n" }
	cases := []headCase{
		{name: "RFC 9112 §3.2: missing", raw: "GET / HTTP/1.1\r\nX: y\r\n\r\n", err: errHostMissing},
		{name: "RFC 9112 §3.2: no field at all", raw: "GET / HTTP/1.1\r\n\r\n", err: errHostMissing},
		{name: "RFC 9112 §3.2: missing in HTTP/1.7", raw: "GET / HTTP/1.7\r\n\r\n", err: errHostMissing},
		{name: "RFC 9112 §3.2: HTTP/1.0 without", raw: "GET / HTTP/1.0\r\n\r\n", want: "Host= Minor=0"},
		{name: "RFC 9112 §3.2: HTTP/1.0 with", raw: "GET / HTTP/1.0\r\nHost: b\r\n\r\n", want: "Host=b"},
		{name: "RFC 9112 §3.2: two", raw: get("host: a"), err: errHostTwice},
		{name: "RFC 9112 §3.2: two in HTTP/1.0", raw: "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", err: errHostTwice},
		{name: "RFC 9112 §3.2: empty", raw: host(""), err: errHost},
		{name: "RFC 9112 §3.2: empty in HTTP/1.0", raw: "GET / HTTP/1.0\r\nHost:\r\n\r\n", err: errHost},
		{name: "RFC 9112 §3.2: a list", raw: host("a, b"), err: errHost},
	}
	for v, valid := range authorities {
		c := headCase{name: "RFC 9110 §7.2: " + v, raw: host(" " + v), want: "Host=" + v}
		if !valid {
			c.err, c.want = errHost, ""
		}
		cases = append(cases, c)
	}
	run(t, requestParser(usualLimits), cases)
}

// authorities tells which values of Host are valid.
var authorities = map[string]bool{
	"www.example.com":              true,
	"WWW.EXAMPLE.COM.":             true,
	"a_b-c~d":                      true,
	"1.2.3.4:80":                   true,
	"999.2.3.4":                    true, // a reg-name
	"a!$&'()*+,;=":                 true,
	"%c3%a4.example":               true,
	"%c3%a":                        false,
	"%":                            false,
	"%gg":                          false,
	"a:":                           true,
	"a:0080":                       true,
	"a:65535":                      true,
	"a:65536":                      false,
	"a:99999999999999999999":       false,
	"a:-1":                         false,
	"a:+1":                         false,
	"a:80:80":                      false,
	"a:8 0":                        false,
	"a:x":                          false,
	":80":                          false,
	":":                            false,
	"a b":                          false,
	"a/b":                          false,
	"a?b":                          false,
	"a@b":                          false,
	"a\\b":                         false,
	"a\"b":                         false,
	"<a>":                          false,
	"{a}":                          false,
	"\xc3\xa4.example":             false,
	"http://a":                     false,
	"::1":                          false,
	"[::1]":                        true,
	"[::1]:8080":                   true,
	"[::1]:":                       true,
	"[::1]8080":                    false,
	"[::1]]":                       false,
	"[::1":                         false,
	"[]":                           false,
	"[":                            false,
	"[a]":                          false,
	"[fe80::1%25eth0]":             false,
	"[fe80::1%eth0]":               false,
	"[1.2.3.4]":                    false,
	"[v1.a:b]":                     true,
	"[vF.~]":                       true,
	"[v.a]":                        false,
	"[vg.a]":                       false,
	"[v1.]":                        false,
	"[v1]":                         false,
	"[v1.a%20]":                    false,
	"[2001:db8::1.2.3.4]:1":        true,
	"[1:2:3:4:5:6:7:8:9]":          false,
	strings.Repeat("a", 300):       true,
	strings.Repeat("a", 300) + "/": false,
}

// TestIPv6 takes netip as the second opinion.
func TestIPv6(t *testing.T) {
	for _, s := range ipv6Samples() {
		a, err := netip.ParseAddr(s)
		want := err == nil && a.Is6() && a.Zone() == ""
		if got := validIPv6([]byte(s)); got != want {
			t.Errorf("%q: got %t, want %t", s, got, want)
		}
	}
}

// ipv6Samples are all the ways to put up to nine groups of several sorts
// together with single and double colons, as far as they make a difference.
func ipv6Samples() []string {
	samples := []string{"", ":", "::", ":::", "1", "1:", ":1", "1::", "::1", "12345::", "::g", "1::2::3", "::1.2.3.4:1"}
	for _, last := range []string{"1", "abCD", "00000", "1.2.3.4", "1.2.3.04", "1.2.3.256", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "%1", ""} {
		for groups := range 9 {
			head := strings.Repeat("f:", groups)
			samples = append(samples, head+last, "::"+head+last, head+":"+last)
			for gap := range groups {
				samples = append(samples, strings.Repeat("1:", gap)+":"+strings.Repeat("2:", groups-gap)+last)
			}
		}
	}
	return samples
}
