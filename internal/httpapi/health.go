package httpapi

import (
	"context"
	"net/http"
	"time"

	"weir/internal/openapi"
	"weir/internal/rag"
)

// readyPatience is how long /readyz waits for the store.
const readyPatience = 2 * time.Second

type health struct {
	Status string `json:"status"`
}

// healthz is GET /healthz: the process lives. It asks nobody.
func (d *door) healthz(context.Context, *exchange) (reply, error) {
	return reply{status: http.StatusOK, body: health{"ok"}}, nil
}

// readyz is GET /readyz: retrieval can be answered now, and documents stored;
// with for=retrieval the first alone.
func (d *door) readyz(ctx context.Context, x *exchange) (reply, error) {
	if d.isDraining() {
		return reply{}, rag.Errorf(rag.Unavailable, "the server is stopping")
	}
	if d.cfg.Gate != nil {
		if err := d.cfg.Gate.Ready(); err != nil {
			return reply{}, &rag.Error{Code: rag.Unavailable, Msg: "nobody can be let in: what callers are known by cannot be had", Err: err}
		}
	}
	ready := d.svc.Ready
	switch x.query.Get("for") {
	case "":
	case "retrieval":
		ready = d.svc.ReadyToRetrieve
	default:
		return reply{}, rag.FieldErrorf("for", "must be retrieval, or left out")
	}
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	err := ready(ctx)
	switch rag.CodeOf(err) { // the others pass as they are, as Unavailable
	case "":
		return reply{status: http.StatusOK, body: health{"ready"}}, nil
	case rag.Canceled:
		return reply{}, err
	case rag.Timeout:
		return reply{}, &rag.Error{Code: rag.Unavailable, Msg: "the store did not answer in time", Err: err}
	case rag.Internal:
		return reply{}, &rag.Error{Code: rag.Unavailable, Msg: "the store cannot serve", Err: err}
	default:
		return reply{}, &rag.Error{Code: rag.Unavailable, Msg: callerError(ctx, err, "").Msg, Err: err}
	}
}

// status is GET /v1/status.
func (d *door) status(ctx context.Context, x *exchange) (reply, error) {
	st := Status{
		Activity: d.svc.Status(ctx), Version: d.cfg.Version,
		Started: d.started.UTC(), UptimeMS: time.Since(d.started).Milliseconds(),
		Requests: d.requests.look(), Bodies: d.bodies.look(), Uploads: d.uploads.look(), Streams: d.streams.look(),
		Answers: d.answers.look(), MCPCalls: d.calls.look(),
		Draining: d.isDraining(), Pipeline: d.look(ctx, d.cfg.Pipeline), Chat: d.look(ctx, d.cfg.Chat),
	}
	if !x.caller.Rights.Any(rag.MayObserve) {
		st.keepOwn(x.user)
	} else if d.cfg.Gate != nil {
		st.Identity = d.cfg.Gate.Look()
	}
	return reply{status: http.StatusOK, body: st}, nil
}

// keepOwn leaves of the calls in flight what one user may see: its own, and of
// the others how many there are at each stage.
func (s *Status) keepOwn(user rag.User) {
	s.Others = map[string]int{}
	own := []rag.Call{}
	for _, c := range s.InFlight {
		if c.User == user {
			own = append(own, c)
		} else {
			s.Others[c.Stage]++
		}
	}
	s.InFlight = own
}

func (d *door) isDraining() bool {
	select {
	case <-d.leaving:
		return true
	default:
		return false
	}
}

func healthzDoc() description {
	return description{
		id: "healthz", tag: "service", summary: "Does the process live",
		gives: map[int]given{http.StatusOK: {about: "It does.", content: jsonOf("Health", health{"ok"})}},
	}
}

func readyzDoc() description {
	return description{
		id: "readyz", tag: "service", summary: "Can retrieval be answered, and documents be stored, now",
		about: "Else the answer is 503 with the reason, also while the server is stopping.",
		query: map[string]*openapi.Schema{
			"for": {Type: "string", Enum: []any{"retrieval", ""}, Description: "`retrieval`: whether anything can be stored does not count, as for a server on a database's standby."},
		},
		gives: map[int]given{http.StatusOK: {about: "It can.", content: jsonOf("Health", health{"ready"})}},
	}
}

func statusDoc() description {
	return description{
		id: "status", tag: "service", summary: "What goes on",
		about: "Answers also when the server is full, or its store does not answer.",
		gives: map[int]given{http.StatusOK: {about: "What goes on.", content: jsonOf("Status", nil)}},
	}
}
