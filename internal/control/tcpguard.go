package control

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A tcpGuard admits those who bring the token. It first turns away what a
// browser sends on behalf of another site: with the right credentials, perhaps,
// but not by the will of their owner.
type tcpGuard struct {
	host  string
	token []byte
}

func newTCPGuard(a TCPAccess) tcpGuard {
	return tcpGuard{host: strings.ToLower(strings.TrimSuffix(a.Host, ".")), token: []byte(a.Token)}
}

func (g tcpGuard) admit(r *http.Request) (string, *refusal) {
	caller := r.RemoteAddr
	if !g.knowsHost(r) {
		return caller, refuse(http.StatusForbidden, CodeNotPermitted, "the host %q is not this server's", r.Host)
	}
	if fromOtherSite(r) {
		return caller, refuse(http.StatusForbidden, CodeNotPermitted, "requests from other sites are refused")
	}
	if subtle.ConstantTimeCompare([]byte(tokenOf(r)), g.token) != 1 {
		ref := refuse(http.StatusUnauthorized, CodeNotPermitted,
			"a token is needed: that of the file %s in the runtime directory", TokenFile)
		ref.header = http.Header{"Www-Authenticate": {
			`Bearer realm="gracevisor"`,
			`Basic realm="gracevisor: any user name, and the token as the password", charset="UTF-8"`,
		}}
		return caller, ref
	}
	return caller, nil
}

// tokenOf is the token that the request brings: as a bearer token (RFC 6750)
// or as the password of HTTP Basic (RFC 7617), which browsers can ask for.
func tokenOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// knowsHost says whether the Host names this server. A name that somebody else
// points here (DNS rebinding) does not; an address that the client connected to
// cannot have been pointed anywhere.
func (g tcpGuard) knowsHost(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return false
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		// RFC 9110, 4.2.1: without a port it is that of http.
		host, port = strings.Trim(r.Host, "[]"), "80"
	}
	if port != strconv.Itoa(int(at.Port())) {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == g.host || host == "localhost" {
		return host != ""
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLoopback() || ip.Unmap().WithZone("") == at.Addr().Unmap().WithZone(""))
}

// fromOtherSite says whether a browser sent the request for a page that this
// server did not serve. Browsers of today send Sec-Fetch-Site with everything;
// older ones send Origin with whatever may change something.
func fromOtherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return false
	}
	u, err := url.Parse(origins[0])
	return len(origins) > 1 || err != nil || u.Scheme != "http" || !strings.EqualFold(u.Host, r.Host)
}
