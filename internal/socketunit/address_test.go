package socketunit

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
)

func app(host string, port int) *config.App {
	return &config.App{Name: "a", External: config.Address{Host: host, Port: port}}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		name string
		apps []*config.App
		want []string
	}{
		{"no app", nil, nil},
		{"localhost is both loopback addresses", []*config.App{app("localhost", 8080)}, []string{"127.0.0.1:8080", "[::1]:8080"}},
		{"all addresses", []*config.App{app("", 80)}, []string{"80"}},
		{"all addresses, as IPv6 writes them", []*config.App{app("::", 80), app("0:0:0::0", 81)}, []string{"80", "81"}},
		{"all IPv4 addresses", []*config.App{app("0.0.0.0", 80)}, []string{"0.0.0.0:80"}},
		{"literal addresses", []*config.App{app("192.0.2.1", 443), app("2001:DB8::1", 443)}, []string{"192.0.2.1:443", "[2001:db8::1]:443"}},
		{"IPv4 in IPv6", []*config.App{app("::ffff:192.0.2.1", 443)}, []string{"192.0.2.1:443"}},
		{"names are the daemon's", []*config.App{app("www.example.org", 80), app("LocalHost", 81), app("10.example", 82)}, nil},
		{"so are zones", []*config.App{app("fe80::1%eth0", 80)}, nil},
		{"order of the plan", []*config.App{app("127.0.0.1", 9), app("127.0.0.1", 8)}, []string{"127.0.0.1:9", "127.0.0.1:8"}},
		{"a path instead of an address", []*config.App{{External: config.Address{Host: "localhost", Port: 8080}, ExternalSocket: "/run/a.sock"}}, []string{"/run/a.sock"}},
		{"a path that no unit can name", []*config.App{{ExternalSocket: "/run/a.sock "}, {ExternalSocket: `/run/a\`}}, nil},
		{"none twice", []*config.App{app("localhost", 80), app("127.0.0.1", 80), app("::ffff:127.0.0.1", 80)}, []string{"127.0.0.1:80", "[::1]:80"}},
	} {
		got := Addresses(&config.Plan{Apps: c.apps}, true)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		for _, address := range got {
			if !valid(address) {
				t.Errorf("%s: %q is not valid", c.name, address)
			}
		}
	}
}

func TestAddressesWithoutIPv6(t *testing.T) {
	got := Addresses(&config.Plan{Apps: []*config.App{app("localhost", 80), app("2001:db8::1", 81), app("", 82)}}, false)
	if want := []string{"127.0.0.1:80", "82"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestDaemonResolvesTheSame holds that the sockets of the unit are those that
// the daemon looks for.
func TestDaemonResolvesTheSame(t *testing.T) {
	for _, host := range []string{"localhost", "", "0.0.0.0", "127.0.0.1", "::1", "::ffff:127.0.0.1"} {
		resolved, err := activation.Resolve(t.Context(), host, 80)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, ap := range resolved {
			if ap.Addr() == netip.IPv6Unspecified() {
				want = append(want, "80")
				continue
			}
			want = append(want, ap.String())
		}
		if got := addressesOf(app(host, 80)); !slices.Equal(got, want) {
			t.Errorf("host %q: the unit has %q, the daemon wants %q", host, got, want)
		}
	}
}

func TestValid(t *testing.T) {
	for _, address := range []string{"1", "65535", "0.0.0.0:1", "[::]:65535", "/a", "/run/a b%c.sock", "/" + strings.Repeat("a", 106), "/run/über"} {
		if !valid(address) {
			t.Errorf("%q is refused", address)
		}
	}
	for _, address := range []string{
		"", " ", "0", "65536", "080", "+80", "-1", "localhost:80", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:080", "127.0.0.1:80 ",
		"::1:80", "[::1]", "[::1%eth0]:80", "[0::1]:80", "[::1]:80\n", "80\nExecStart=/bin/sh", "@abstract", "a/b", "vsock:2:80",
		"/", "/a/", "/a//b", "/a/./b", "/a/../b", "/a ", "/a\t", "/a\nb", `/a\`, "/a\x7f", "/\xff", "/" + strings.Repeat("a", 107),
	} {
		if valid(address) {
			t.Errorf("%q is accepted", address)
		}
	}
}

func TestSettingEscapesSpecifiers(t *testing.T) {
	if got := Setting("/run/100%n.sock"); got != "ListenStream=/run/100%%n.sock" {
		t.Errorf("%q", got)
	}
	if got := Setting("[::1]:80"); got != "ListenStream=[::1]:80" {
		t.Errorf("%q", got)
	}
}
