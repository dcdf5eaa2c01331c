package http1

import "bytes"

// validAuthority reports whether a is uri-host [":" port] (RFC 9110 §7.2, RFC
// 3986 §3.2.2): without user information, with a host that is not empty, and
// with a port that a TCP port can be.
func validAuthority(a []byte) bool {
	if len(a) == 0 {
		return false
	}
	if a[0] == '[' {
		end := bytes.IndexByte(a, ']')
		return end > 0 && validLiteral(a[1:end]) && validPort(a[end+1:])
	}
	end := regName(a)
	return end > 0 && validPort(a[end:])
}

// regName is the length of the reg-name that a begins with. An IPv4 address is
// one too.
func regName(a []byte) int {
	for i := 0; i < len(a); i++ {
		switch c := a[i]; {
		case class[c]&isRegName != 0:
		case c == '%' && i+2 < len(a) && class[a[i+1]]&class[a[i+2]]&isHex != 0:
			i += 2
		default:
			return i
		}
	}
	return len(a)
}

// validPort reports whether p is nothing, or ":" and digits up to 65535; none
// at all means the default port (RFC 3986 §3.2.3).
func validPort(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	if p[0] != ':' {
		return false
	}
	if len(p) == 1 {
		return true
	}
	_, _, ok := parseDecimal(p[1:], 65535)
	return ok
}

// validLiteral checks what is between the brackets of an IP-literal. A zone has
// no meaning to anybody but its host, and is not in this grammar.
func validLiteral(s []byte) bool {
	if len(s) > 0 && (s[0] == 'v' || s[0] == 'V') {
		return validFuture(s[1:])
	}
	return validIPv6(s)
}

// validFuture checks an IPvFuture, of which the "v" has been removed.
func validFuture(s []byte) bool {
	dot := bytes.IndexByte(s, '.')
	if dot < 1 || dot+1 == len(s) || !all(s[:dot], isHex) {
		return false
	}
	for _, c := range s[dot+1:] {
		if class[c]&isRegName == 0 && c != ':' {
			return false
		}
	}
	return true
}

// validIPv6 checks an IPv6address: eight groups, or up to seven with one "::",
// the last two of which may be an IPv4 address.
func validIPv6(s []byte) bool {
	groups, gap := 0, false
	if len(s) > 0 && s[0] == ':' {
		if s = s[1:]; len(s) == 0 || s[0] != ':' {
			return false
		}
	}
	for {
		if len(s) > 0 && s[0] == ':' {
			if gap {
				return false
			}
			gap, s = true, s[1:]
			if len(s) == 0 {
				return groups < 8
			}
		}
		end := bytes.IndexByte(s, ':')
		if end < 0 {
			return validLastGroup(s, groups, gap)
		}
		if !validGroup(s[:end]) {
			return false
		}
		groups++
		s = s[end+1:]
	}
}

// validLastGroup checks what comes after the last colon of an IPv6address, and
// with it the number of groups.
func validLastGroup(s []byte, groups int, gap bool) bool {
	switch {
	case validGroup(s):
		groups++
	case validIPv4(s):
		groups += 2
	default:
		return false
	}
	if gap {
		return groups < 8
	}
	return groups == 8
}

func validGroup(s []byte) bool {
	return len(s) >= 1 && len(s) <= 4 && all(s, isHex)
}

func validIPv4(s []byte) bool {
	for i := range 4 {
		part := s
		if dot := bytes.IndexByte(s, '.'); i < 3 {
			if dot < 0 {
				return false
			}
			part, s = s[:dot], s[dot+1:]
		}
		_, _, ok := parseDecimal(part, 255)
		if !ok || len(part) > 1 && part[0] == '0' {
			return false
		}
	}
	return true
}
