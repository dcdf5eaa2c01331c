package socketunit

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gracevisor/internal/config"
)

// Addresses returns what the unit is to listen on for the apps of a plan, as
// values of ListenStream=. Without IPv6 in the kernel its addresses are left
// out: the service manager would complain of each.
func Addresses(plan *config.Plan, ipv6 bool) []string {
	var found []string
	for _, app := range plan.Apps {
		for _, address := range addressesOf(app) {
			if (ipv6 || !strings.HasPrefix(address, "[")) && valid(address) && !slices.Contains(found, address) {
				found = append(found, address)
			}
		}
	}
	return found
}

// addressesOf returns where an app is to be reached; nothing if its host is a
// name.
func addressesOf(app *config.App) []string {
	if app.ExternalSocket != "" {
		return []string{app.ExternalSocket}
	}
	port := strconv.Itoa(app.External.Port)
	host := app.External.Host
	if host == "localhost" {
		return []string{"127.0.0.1:" + port, "[::1]:" + port}
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip == netip.IPv6Unspecified():
		// The port alone is [::] for IPv4 as well, and 0.0.0.0 where there
		// is no IPv6.
		return []string{port}
	case err != nil || ip.Zone() != "":
		return nil
	}
	return []string{netip.AddrPortFrom(ip.Unmap(), uint16(app.External.Port)).String()}
}

// longestPath is what fits into sun_path with its final NUL (unix(7)).
const longestPath = 107

// valid reports whether an address is one that Addresses makes.
func valid(address string) bool {
	if strings.HasPrefix(address, "/") {
		return validPath(address)
	}
	if port, err := strconv.ParseUint(address, 10, 16); err == nil {
		return port > 0 && address == strconv.FormatUint(port, 10)
	}
	ap, err := netip.ParseAddrPort(address)
	return err == nil && ap.Port() > 0 && ap.Addr().Zone() == "" && ap.String() == address
}

// validPath reports whether a path reaches the service manager as it is: it
// takes a backslash at the end for a continued line, cuts off blanks, tidies
// what is not tidy, and refuses what is not UTF-8 (systemd.syntax(7)).
func validPath(path string) bool {
	return len(path) <= longestPath && len(path) > 1 && filepath.Clean(path) == path &&
		utf8.ValidString(path) && !strings.ContainsFunc(path, isControl) &&
		strings.TrimSpace(path) == path && !strings.HasSuffix(path, `\`)
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// Setting returns the line of a unit file that makes the unit listen on an
// address.
func Setting(address string) string {
	return "ListenStream=" + strings.ReplaceAll(address, "%", "%%")
}
