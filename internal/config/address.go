package config

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// String returns HOST:PORT, with brackets around an IPv6 address and with * for
// all addresses.
func (a Address) String() string {
	host := a.Host
	if host == "" {
		host = "*"
	}
	return net.JoinHostPort(host, strconv.Itoa(a.Port))
}

// Wildcard reports whether a stands for all addresses of the machine, or of an
// address family.
func (a Address) Wildcard() bool {
	ip, err := netip.ParseAddr(a.Host)
	return a.Host == "" || err == nil && ip.Unmap().IsUnspecified()
}

// Loopback reports whether a can be reached from this machine only: a loopback
// address, or localhost (RFC 6761, section 6.3). Of other names it is not known.
func (a Address) Loopback() bool {
	for _, ip := range a.known() {
		if !ip.IsLoopback() {
			return false
		}
	}
	return len(a.known()) > 0
}

// Overlaps reports whether listening on both addresses would meet. A wildcard
// meets every address of its port: whether :: takes IPv4 as well depends on
// settings that are not ours. Names other than localhost are not resolved; two
// names of one address are found when the second one is bound.
func (a Address) Overlaps(b Address) bool {
	if a.Port != b.Port {
		return false
	}
	if a.Wildcard() || b.Wildcard() || hostName(a.Host) == hostName(b.Host) {
		return true
	}
	for _, x := range a.known() {
		for _, y := range b.known() {
			if x == y {
				return true
			}
		}
	}
	return false
}

// known returns the addresses that a host stands for without asking anybody.
func (a Address) known() []netip.Addr {
	if hostName(a.Host) == "localhost" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	if ip, err := netip.ParseAddr(a.Host); err == nil {
		return []netip.Addr{ip.Unmap()}
	}
	return nil
}

// hostName returns the form in which names are equal (RFC 4343).
func hostName(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

var (
	labelRule  = regexp.MustCompile(`^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	dottedRule = regexp.MustCompile(`^[0-9.]+$`)
)

// internalHost is a host to connect to; listenHost is one to listen on, where
// nothing and * stand for all addresses.
var (
	internalHost = kind[string]{"host", func(n *node, c complain) (string, bool) {
		return readHost(n, c, "a host name or an IP address")
	}}
	listenHost = kind[string]{"host, or *", func(n *node, c complain) (string, bool) {
		if n.isText() && (n.text == "" || n.text == "*") {
			return "", true
		}
		return readHost(n, c, "a host name, an IP address, or * for all addresses")
	}}
)

func readHost(n *node, c complain, expected string) (string, bool) {
	text, ok := readText(n, c, expected)
	if !ok {
		return "", false
	}
	if _, err := netip.ParseAddr(text); err == nil || validName(text) {
		return text, true
	}
	hint := ""
	inner, bracketed := strings.CutPrefix(text, "[")
	_, _, err := net.SplitHostPort(text)
	switch {
	case bracketed && strings.HasSuffix(inner, "]"):
		hint = "; leave the brackets out"
	case strings.Contains(text, "://"):
		hint = "; a URL is no host"
	case err == nil:
		hint = "; the port is a key of its own"
	}
	c(n.at, "expected %s, not %s%s", expected, n.describe(), hint)
	return "", false
}

// validName reports whether host is a name as RFC 1123, section 2.1 has it, or
// one with underscores, which many container networks give.
func validName(host string) bool {
	if len(host) > 253 || dottedRule.MatchString(host) {
		return false
	}
	for _, label := range strings.Split(strings.TrimSuffix(host, "."), ".") {
		if !labelRule.MatchString(label) {
			return false
		}
	}
	return true
}
