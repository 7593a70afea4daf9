package identity

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxCredential is the longest key or token that is looked at.
const maxCredential = 8 << 10

// bearer reads the credential of a request (RFC 6750, section 2.1). none is
// true when there is no Authorization at all. What could be read in two ways,
// such as a header that is there twice, is not read.
func bearer(h http.Header) (credential string, none, ok bool) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", true, false
	}
	if len(values) > 1 || len(values[0]) > maxCredential {
		return "", false, false
	}
	scheme, credential, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return "", false, false
	}
	for i := range len(credential) {
		if c := credential[i]; !isToken68(c) {
			return "", false, false
		}
	}
	return credential, false, true
}

func isToken68(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+/=", c) >= 0
}

// remote is the address that a request's connection came from.
func remote(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// neighbourhood is what is counted as one address: of IPv6 a host has a whole
// network (/64).
func neighbourhood(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// sameMachine reports whether a request comes from this machine, and straight:
// by loopback, or from the very address that it went to. A proxy on this
// machine says that it is one, and whom it speaks for may be anywhere.
func sameMachine(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	from := remote(r)
	if !from.IsValid() {
		return false
	}
	if from.IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string })
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap().WithZone("") == from
}
