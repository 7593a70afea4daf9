package chaos

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir/internal/openai"
)

func itoa(n int) string { return strconv.Itoa(n) }

// pareto turns an exponential variable into one of Pareto's, of shape 1.1 and
// from 1.
func pareto(exponential float64) float64 { return math.Exp(exponential / 1.1) }

func limitFaults() []Entry {
	return []Entry{
		{
			Fault: FewSlots, Does: "bears four calls at a time and answers further ones with 429", Expect: Answer, Codes: []Code{Overloaded, Unavailable, Timeout},
			Retry: true, Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				select {
				case p.slots <- struct{}{}:
					defer func() { <-p.slots }()
					return p.work(s, c)
				default:
					return p.refuse(s, busy())
				}
			},
		},
		{
			Fault: FewSlotsQueue, Does: "works on four calls at a time and lets further ones wait, however many", Expect: Answer, Codes: []Code{Overloaded, Timeout},
			Retry: true, Heals: true, Wires: anyWire(), call: queued,
		},
		{
			Fault: BatchOfOne, Does: "takes one text per call and answers more with 422", Expect: Answer,
			Heals: true, Wires: anyWire(), Met: ByEmbeddings, call: func(p *Provider, s sink, c *call) bool {
				if n := len(c.Input); n > 1 {
					return p.refuse(s, &openai.Error{
						Status: http.StatusUnprocessableEntity, Type: "invalid_request_error", Param: "input",
						Message: fmt.Sprintf("batch size %d > maximum allowed batch size 1", n),
					})
				}
				return p.right(s, c)
			},
		},
		poison(PoisonText, http.StatusBadRequest, []Code{Invalid}),
		poison(PoisonText500, http.StatusInternalServerError, down()),
		{
			Fault: EveryOther, Does: "fails every other call with 500", Expect: Mixed, Codes: down(),
			Retry: true, Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				if c.seq%2 == 1 {
					return p.refuse(s, &openai.Error{Status: http.StatusInternalServerError, Message: "told to fail", Type: "server_error"})
				}
				return p.right(s, c)
			},
		},
	}
}

// work is the right answer of one who has a slot, which takes time in any case:
// else no slot would ever be wanting.
func (p *Provider) work(s sink, c *call) bool {
	return p.waits(s, cmp.Or(p.cfg.Latency, 80*time.Millisecond)) && p.deliver(s, c)
}

func queued(p *Provider, s sink, c *call) bool {
	gone, forget := s.watch()
	select {
	case p.slots <- struct{}{}:
		forget()
		defer func() { <-p.slots }()
		return p.work(s, c)
	case <-gone:
	case <-p.done:
	}
	forget()
	return false
}

func poison(f Fault, status int, codes []Code) Entry {
	return Entry{
		Fault: f, Does: "answers " + itoa(status) + " to a batch that holds one poisonous text", Expect: Mixed, Codes: codes,
		Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
			for _, t := range c.texts() {
				if strings.Contains(t, Poison) {
					return p.refuse(s, &openai.Error{Status: status, Message: "the input could not be processed", Type: "invalid_request_error"})
				}
			}
			return p.right(s, c)
		},
	}
}

func busy() *openai.Error {
	return &openai.Error{
		Status: http.StatusTooManyRequests, Message: "Rate limit reached for requests", Type: "requests", Code: "rate_limit_exceeded",
	}
}

func statusFaults() []Entry {
	asks := func(f Fault, does string, after func() string) Entry {
		return Entry{
			Fault: f, Does: "answers 429, " + does, Expect: Failure, Codes: down(), Heals: true, Wires: anyWire(),
			call: func(p *Provider, s sink, _ *call) bool {
				return p.send(s, http.StatusTooManyRequests, http.Header{"Retry-After": {after()}}, errorBody(busy()))
			},
		}
	}
	is := func(value string) func() string { return func() string { return value } }
	rows := []Entry{
		refusing(Busy, "answers 429, and does not say when to come back", *busy(), down()),
		asks(BusySeconds, "with Retry-After: 1", is("1")),
		asks(BusyDecimals, "with Retry-After: 0.25", is("0.25")),
		asks(BusyDate, "with Retry-After as a date two seconds from now", func() string {
			return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat)
		}),
		asks(BusyAbsurd, "with a Retry-After of three thousand years", is("99999999999")),
		asks(BusyGarbage, "with a Retry-After that is no time", is("soon")),
		refusing(Unpaid, "answers 429 because the account is used up: no time heals that", openai.Error{
			Status: http.StatusTooManyRequests, Message: "You exceeded your current quota", Type: "insufficient_quota", Code: "insufficient_quota",
		}, ill()),
	}
	for _, r := range []struct {
		f             Fault
		status        int
		typ, msg, key string
		codes         []Code
	}{
		{Status400, 400, "invalid_request_error", "the request is not understood", "", []Code{Invalid}},
		{Status401, 401, "invalid_request_error", "Incorrect API key provided", "invalid_api_key", ill()},
		{Status403, 403, "invalid_request_error", "You are not allowed to do this", "", ill()},
		{Status404, 404, "invalid_request_error", "The model does not exist", "model_not_found", ill()},
		{Status408, 408, "server_error", "the request took too long", "", down()},
		{Status413, 413, "invalid_request_error", "the input is too long", "", []Code{Invalid}},
		{Status500, 500, "server_error", "The server had an error", "", down()},
	} {
		rows = append(rows, refusing(r.f, "answers "+itoa(r.status), openai.Error{
			Status: r.status, Message: r.msg, Type: r.typ, Code: r.key,
		}, r.codes))
	}
	for _, r := range []struct {
		f      Fault
		status int
	}{{Status502, 502}, {Status503, 503}, {Status504, 504}} {
		page := fmt.Sprintf("<html><head><title>%d %s</title></head><body><hr>nginx</body></html>\n", r.status, http.StatusText(r.status))
		rows = append(rows, Entry{
			Fault: r.f, Does: "answers " + itoa(r.status) + " with the page of a proxy", Expect: Failure, Codes: down(), Heals: true,
			Wires: anyWire(), call: func(p *Provider, s sink, _ *call) bool {
				return p.send(s, r.status, http.Header{"Content-Type": {"text/html"}}, []byte(page))
			},
		})
	}
	return rows
}

// refusing answers each call with an error.
func refusing(f Fault, does string, e openai.Error, codes []Code) Entry {
	return Entry{
		Fault: f, Does: does, Expect: Failure, Codes: codes, Heals: true, Wires: anyWire(),
		call: func(p *Provider, s sink, _ *call) bool { return p.refuse(s, &e) },
	}
}
