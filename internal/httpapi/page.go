package httpapi

import (
	"context"
	"net/http"
)

// Page is what a person sees: files in memory.
type Page interface {
	http.Handler
	Has(path string) bool // whether there is something at a path
}

// pageRoutes are public: the page has nothing in it that is anybody's, and who
// is to be asked for a key must first see where to type it. What it then asks
// of the API passes the guard like any other request. They are not in the
// description of the API: programs have no business there.
func (d *door) pageRoutes() []route {
	if d.cfg.Page == nil {
		return nil
	}
	return []route{
		{method: "GET", path: "/{$}", handle: d.page, lane: noPlace, quiet: true, public: true, foreign: true},
		{method: "GET", path: "/assets/{file...}", handle: d.page, lane: noPlace, quiet: true, public: true, foreign: true},
	}
}

// page answers with a file of the page, or as for any path where there is none.
func (d *door) page(ctx context.Context, x *exchange) (reply, error) {
	if !d.cfg.Page.Has(x.r.URL.Path) {
		return d.nowhere.handle(ctx, x)
	}
	d.lend(x, d.cfg.Page)
	return reply{}, nil
}
