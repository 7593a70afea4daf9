package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// Pages of other origins may call when they are named (Config.Origins), and only
// with what they can say themselves: a header with a key. Access-Control-Allow-
// Credentials is never sent, so that nothing which a browser adds on its own,
// such as a cookie, would make a page somebody.

// originHeaders are those of answers that a page may read.
const originHeaders = "X-Operation-Id, X-Request-Id, Retry-After, Retry-After-Ms, X-Should-Retry, Location, Mcp-Session-Id, Mcp-Protocol-Version"

// preflightAge is how long, in seconds, a browser may remember the answer.
const preflightAge = "600"

// welcome is the origin of r if it is one of a page that may call, else "".
func (d *door) welcome(r *http.Request) string {
	origins := r.Header["Origin"]
	if len(origins) != 1 || origins[0] == "" || !slices.Contains(d.cfg.Origins, origins[0]) {
		return ""
	}
	return origins[0]
}

// crossOrigin adds what the browser needs to let a page read the answer.
func (d *door) crossOrigin(h http.Header, r *http.Request) {
	if len(d.cfg.Origins) == 0 {
		return
	}
	h.Add("Vary", "Origin")
	if origin := d.welcome(r); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", originHeaders)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
}

// isPreflight tells a browser's question whether a page may call.
func (d *door) isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" && d.welcome(r) != "" && d.knownHost(r.Host)
}

// preflight answers it. Which methods a path has, the call itself is told.
func preflight(_ context.Context, x *exchange) (reply, error) {
	h := x.w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
	if asked := x.r.Header.Get("Access-Control-Request-Headers"); isHeaderList(asked) {
		h.Set("Access-Control-Allow-Headers", asked) // a named page may send any
		h.Add("Vary", "Access-Control-Request-Headers")
	}
	h.Set("Access-Control-Max-Age", preflightAge)
	return reply{status: http.StatusNoContent}, nil
}

// isHeaderList tells names of headers, so that nothing else is given back.
func isHeaderList(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, "
	return s != "" && len(s) <= 1024 && strings.Trim(s, letters) == ""
}
