package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"weir/internal/rag"
)

// guard keeps out what a web page in the user's browser sends. Loopback is no
// wall against it, as the browser runs on the same machine:
//
//   - A page may post to 127.0.0.1 from anywhere, and though it cannot read the
//     answer, the document is deleted all the same. The browser says so
//     (Sec-Fetch-Site, Origin), which other programs do not: they are let in.
//   - A page may have its own name resolve to 127.0.0.1 after it was loaded (DNS
//     rebinding). To the browser it is then of one origin with the server and
//     may read everything. But the Host header still carries the page's name.
func (d *door) guard(r *http.Request) error {
	if !d.knownHost(r.Host) {
		return &rag.Error{
			Code: rag.Forbidden, Field: "Host",
			Msg: "Host: " + shorten(r.Host) + " is not a name of this server; call it as localhost or 127.0.0.1, or name it in WEIR_HOSTS",
		}
	}
	if d.welcome(r) != "" {
		return nil
	}
	const refused = "a web page of another origin may not call this server"
	// CrossOriginProtection lets GET through, which changes nothing; but an
	// open stream takes a place, and no page has business here. So whatever
	// the method, it is asked as for a POST.
	asPost := r.WithContext(r.Context())
	asPost.Method = http.MethodPost
	if err := http.NewCrossOriginProtection().Check(asPost); err != nil {
		return &rag.Error{Code: rag.Forbidden, Msg: refused, Err: err}
	}
	return nil
}

// anyHost in Config.Hosts is for servers that ask everybody who they are: a page
// that rebinds its name has no key.
const anyHost = "*"

func (d *door) knownHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		slices.Contains(d.cfg.Hosts, host) || slices.Contains(d.cfg.Hosts, anyHost) {
		return true
	}
	// A name may be made to resolve to anything, an address may not; and with a
	// gate, what matters is not where one calls but with what key.
	return isLoopback(host) || d.cfg.Gate != nil && isAddress(host)
}

// isAddress tells an address, in brackets or not, from a name.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil
}

// isLoopback tells an address of this machine, in brackets or not.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && ip.Unmap().IsLoopback()
}
