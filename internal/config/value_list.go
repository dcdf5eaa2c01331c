package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// listOf is a list whose items one reads, each complaining for itself.
func listOf[T any](name string, one func(n *node, c complain) (T, bool)) kind[[]T] {
	return kind[[]T]{name, func(n *node, c complain) ([]T, bool) {
		if n.shape != shapeList {
			mismatch(n, c, "a "+name)
			return nil, false
		}
		values := make([]T, 0, len(n.items))
		good := true
		for _, item := range n.items {
			if value, ok := one(item, c); ok {
				values = append(values, value)
			} else {
				good = false
			}
		}
		return values, good
	}}
}

// partial keeps the good items of a list that has bad ones, for what they lead
// to may have faults of its own.
func partial[T any](k kind[[]T]) kind[[]T] {
	return kind[[]T]{k.name, func(n *node, c complain) ([]T, bool) {
		values, _ := k.read(n, c)
		return values, true
	}}
}

// include is an item of apps_include.
type include struct {
	path string
	at   place
}

var includes = partial(listOf("list of paths", func(n *node, c complain) (include, bool) {
	text, ok := readPath(n, c)
	return include{text, n.at}, ok
}))

// appList is the apps that stand in gracevisor.yaml itself. What is in them is
// read later, by the table of their keys.
var appList = partial(listOf("list of apps", func(n *node, c complain) (*node, bool) {
	if n.shape != shapeMapping {
		mismatch(n, c, `an app: a mapping with the keys "name" and "command" at least`)
	}
	return n, n.shape == shapeMapping
}))

// networks is a list of addresses and networks, kept in CIDR notation.
var networks = listOf("list of addresses or networks", func(n *node, c complain) (string, bool) {
	const expected = "an IP address, or a network such as 10.0.0.0/8"
	if !anyText(n, c, expected) {
		return "", false
	}
	if ip, err := netip.ParseAddr(n.text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()).String(), true
	}
	network, err := netip.ParsePrefix(n.text)
	if err != nil || network.Addr().Is4In6() {
		mismatch(n, c, expected)
		return "", false
	}
	return network.Masked().String(), true
})

// tokenRule is token of RFC 9110, section 5.6.2.
var tokenRule = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")

var upgradeToken = listOf("list of tokens", func(n *node, c complain) (string, bool) {
	const expected = "the name of a protocol such as websocket"
	switch {
	case !anyText(n, c, expected):
	case !tokenRule.MatchString(n.text):
		mismatch(n, c, expected)
	case strings.EqualFold(n.text, "h2c"), strings.EqualFold(n.text, "h2"):
		// Behind an upgrade to HTTP/2 the proxy would no longer see where
		// one request ends and another begins.
		c(n.at, "%s cannot be passed on: its requests would go around the proxy", n.describe())
	default:
		return strings.ToLower(n.text), true
	}
	return "", false
})

// upgrades is a list of the protocols of Upgrade (RFC 9110, section 7.8), in
// lower case, each once.
var upgrades = kind[[]string]{upgradeToken.name, func(n *node, c complain) ([]string, bool) {
	tokens, ok := upgradeToken.read(n, c)
	each := []string{}
	for _, t := range tokens {
		if !slices.Contains(each, t) {
			each = append(each, t)
		}
	}
	return each, ok
}}
