package httpapi

import (
	"context"
	"net/http"

	"weir/internal/rag"
)

// Tracer follows requests. It never blocks.
type Tracer interface {
	// RequestBegan begins the trace of a request, or goes on with the one that
	// its headers name (W3C Trace Context). The ctx that it returns carries it to
	// the stages of the call; route is the pattern, never the path. trace is the
	// trace's id for the log; "" when it is not recorded. end is called once; code
	// is "" for a request that was answered.
	RequestBegan(ctx context.Context, h http.Header, method, route, operation string) (within context.Context, trace string, end func(status int, code rag.Code))
}

// trace begins a request's span. Requests of machines that look every few
// seconds have none.
func (d *door) trace(ctx context.Context, r *http.Request, rt route, operation string) (context.Context, string, func(int, rag.Code)) {
	if d.cfg.Tracer == nil || rt.quiet {
		return ctx, "", func(int, rag.Code) {}
	}
	return d.cfg.Tracer.RequestBegan(ctx, r.Header, logMethod(r.Method), rt.path, operation)
}
