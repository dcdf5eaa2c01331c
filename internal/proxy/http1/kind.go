package http1

// A Kind is a field name that a proxy has to know.
type Kind uint8

// The names that are known. All others are KindOther.
const (
	KindOther Kind = iota
	KindHost
	KindContentLength
	KindTransferEncoding
	KindConnection
	KindKeepAlive
	KindProxyConnection
	KindTE
	KindTrailer
	KindUpgrade
	KindProxyAuthenticate
	KindProxyAuthorization
	KindProxyAuthenticationInfo
	KindProxy
	KindExpect
	KindMaxForwards
	KindVia
	KindDate
	KindForwarded
	KindXForwardedFor
	KindXForwardedProto
	KindXForwardedHost
	KindXRequestID
	KindAccept
	KindUserAgent
	KindReferer
	// KindLookAlike is a name that would be one of those above, up to
	// KindXRequestID, if its underscores were hyphens. CGI and its
	// descendants (WSGI, Rack, PHP) give both to the app under the same name
	// (RFC 3875 §4.1.18), so such a field passes for one that the proxy sets.
	KindLookAlike

	kinds // their number
)

// kindOf finds the Kind of a name, which must be a token.
func kindOf(name []byte) Kind {
	k := kindByLength(name)
	if k != KindOther && hasUnderscore(name) {
		if k <= KindXRequestID {
			return KindLookAlike
		}
		return KindOther
	}
	return k
}

// kindByLength compares a name with the known ones of its length, which are
// three at most. An underscore counts as a hyphen.
func kindByLength(name []byte) Kind {
	switch len(name) {
	case 2:
		return match(name, "te", KindTE)
	case 3:
		return match(name, "via", KindVia)
	case 4:
		if fold[name[0]] == 'h' {
			return match(name, "host", KindHost)
		}
		return match(name, "date", KindDate)
	case 5:
		return match(name, "proxy", KindProxy)
	case 6:
		if fold[name[0]] == 'a' {
			return match(name, "accept", KindAccept)
		}
		return match(name, "expect", KindExpect)
	case 7:
		switch fold[name[0]] {
		case 'r':
			return match(name, "referer", KindReferer)
		case 't':
			return match(name, "trailer", KindTrailer)
		}
		return match(name, "upgrade", KindUpgrade)
	}
	return kindOfLong(name)
}

// kindOfLong is kindByLength for names of more than 7 bytes.
func kindOfLong(name []byte) Kind {
	switch len(name) {
	case 9:
		return match(name, "forwarded", KindForwarded)
	case 10:
		switch fold[name[0]] {
		case 'c':
			return match(name, "connection", KindConnection)
		case 'k':
			return match(name, "keep-alive", KindKeepAlive)
		}
		return match(name, "user-agent", KindUserAgent)
	case 12:
		if fold[name[0]] == 'x' {
			return match(name, "x-request-id", KindXRequestID)
		}
		return match(name, "max-forwards", KindMaxForwards)
	case 14:
		return match(name, "content-length", KindContentLength)
	case 15:
		return match(name, "x-forwarded-for", KindXForwardedFor)
	case 16:
		if fold[name[0]] == 'x' {
			return match(name, "x-forwarded-host", KindXForwardedHost)
		}
		return match(name, "proxy-connection", KindProxyConnection)
	case 17:
		if fold[name[0]] == 'x' {
			return match(name, "x-forwarded-proto", KindXForwardedProto)
		}
		return match(name, "transfer-encoding", KindTransferEncoding)
	case 18:
		return match(name, "proxy-authenticate", KindProxyAuthenticate)
	case 19:
		return match(name, "proxy-authorization", KindProxyAuthorization)
	case 25:
		return match(name, "proxy-authentication-info", KindProxyAuthenticationInfo)
	}
	return KindOther
}

// match is k if name is known, which is of the same length and in lower case.
func match(name []byte, known string, k Kind) Kind {
	for i, c := range name {
		if fold[c] != known[i] {
			return KindOther
		}
	}
	return k
}

func hasUnderscore(name []byte) bool {
	for _, c := range name {
		if c == '_' {
			return true
		}
	}
	return false
}
