package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// whence is where a request comes from, for the log. Nothing is decided by it.
type whence struct {
	client netip.Addr // invalid: not known
	scheme string     // http or https, on the client's side
}

// maxForwarded is how many addresses of X-Forwarded-For are looked at.
const maxForwarded = 32

// whence reads where r comes from. What headers say of it is believed only when
// a trusted proxy has sent them, and of the addresses in them the last that is
// not a trusted proxy's: those before it, the client may have made up.
func (d *door) whence(r *http.Request) whence {
	w := whence{scheme: "http"}
	if r.TLS != nil {
		w.scheme = "https"
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return w
	}
	w.client = peer.Addr().Unmap().WithZone("")
	if !d.trusts(w.client) {
		return w
	}
	if p := r.Header["X-Forwarded-Proto"]; len(p) == 1 && (p[0] == "http" || p[0] == "https") {
		w.scheme = p[0]
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops[max(0, len(hops)-maxForwarded):]) {
		a, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			break
		}
		if w.client = a; !d.trusts(a) {
			break
		}
	}
	return w
}

// parseHop reads an address, with a port or without.
func parseHop(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return a.Unmap().WithZone(""), err == nil
}

func (d *door) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(d.cfg.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
