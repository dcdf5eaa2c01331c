package activation

import (
	"net"
	"net/netip"
	"strconv"
)

// zoneID is the scope of a link-local address, given as a name or a number.
func zoneID(addr netip.Addr) uint32 {
	if addr.Zone() == "" {
		return 0
	}
	if n, err := strconv.ParseUint(addr.Zone(), 10, 32); err == nil {
		return uint32(n)
	}
	iface, err := net.InterfaceByName(addr.Zone())
	if err != nil {
		return 0
	}
	return uint32(iface.Index)
}

// zoneName is the name of a scope, its number where no interface has that, or ""
// for none.
func zoneName(id uint32) string {
	if id == 0 {
		return ""
	}
	iface, err := net.InterfaceByIndex(int(id))
	if err != nil {
		return strconv.FormatUint(uint64(id), 10)
	}
	return iface.Name
}

// sameAddress reports whether two addresses are the same, also if one names an
// interface and the other has its number.
func sameAddress(a, b netip.AddrPort) bool {
	if a == b {
		return true
	}
	one, other := a.Addr(), b.Addr()
	return a.Port() == b.Port() && one.Zone() != other.Zone() &&
		one.WithZone("") == other.WithZone("") && zoneID(one) == zoneID(other)
}
