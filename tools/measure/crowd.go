package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/load"
)

type crowdFlags struct {
	seconds, crowd, callers int
	mode                    string
}

// crowd: a few callers who retrieve, alone and beside thousands of connections on
// which next to nothing happens: half of them event streams of a document that
// waits, half readers who ask for a long answer and take a few bytes of it a
// second. Once with the bound on streams as it is, once with it raised.
func crowd(flags *flag.FlagSet) func(context.Context, *site) error {
	var f crowdFlags
	flags.IntVar(&f.seconds, "seconds", 10, "of calls, each time")
	flags.IntVar(&f.crowd, "crowd", 5000, "connections of the crowd")
	flags.IntVar(&f.callers, "callers", 50, "who call again and again")
	flags.StringVar(&f.mode, "mode", "hybrid", "of their retrieval")
	return func(ctx context.Context, s *site) error {
		if f.seconds < 1 || f.crowd < 2 || f.callers < 1 {
			return errors.New("-seconds, -crowd and -callers must be at least 1, 2 and 1")
		}
		if n, err := openFiles(); err == nil && n < uint64(f.crowd+512) {
			return fmt.Errorf("%d connections need more open files than the %d there may be (ulimit -n); allow more, or take a smaller -crowd", f.crowd, n)
		}
		fmt.Fprintf(s.out, "%d callers, %s, %d s each time; a crowd of %d, half event streams, half slow readers; %s\n\n", f.callers, f.mode, f.seconds, f.crowd, machine())
		fmt.Fprint(s.out, "| bound on streams | beside | streams open (refused) | slow readers taken (refused) | calls/s | p50 | p99 | most | not answered | resident |\n|---|"+strings.Repeat("---|", 9)+"\n")
		for _, bound := range []int{256, f.crowd} {
			if err := f.measure(ctx, s, bound); err != nil {
				return err
			}
		}
		return nil
	}
}

func (f crowdFlags) measure(ctx context.Context, s *site, bound int) (err error) {
	d, err := openDesk(ctx, s.dim, 0, 0, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	c, err := s.start(ctx, fmt.Sprintf("crowd-%d", bound), d.url, "WEIR_MAX_STREAMS="+strconv.Itoa(bound))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.teach(ctx, 40); err != nil {
		return err
	}
	id, err := c.waiting(ctx, d)
	if err != nil {
		return err
	}
	if _, err := f.call(ctx, c, time.Second, 1); err != nil { // code, connections and caches are warm
		return err
	}
	alone, err := f.call(ctx, c, time.Duration(f.seconds)*time.Second, 2)
	if err != nil {
		return err
	}
	f.print(s, bound, "nobody", "", "", alone, mib(c.look(ctx).resident))
	g := &gathering{}
	inner, disperse := context.WithCancel(ctx)
	defer func() { disperse(); g.all.Wait() }()
	if err := g.gather(inner, c, id, f.crowd); err != nil {
		return err
	}
	beside, err := f.call(ctx, c, time.Duration(f.seconds)*time.Second, 3)
	if err != nil {
		return err
	}
	f.print(s, bound, "the crowd", fmt.Sprintf("%d (%d)", g.streams.Load(), g.full.Load()), fmt.Sprintf("%d (%d)", g.readers.Load(), g.shed.Load()), beside, mib(c.look(ctx).resident))
	fmt.Fprintf(s.talk, "bound %d: p50 %s alone, %s beside the crowd\n", bound, brief(alone.Answers.At(0.5)), brief(beside.Answers.At(0.5)))
	return c.alive()
}

func (f crowdFlags) call(ctx context.Context, c *child, d time.Duration, seed uint64) (*load.Report, error) {
	target, err := c.retrieve(f.mode, seed)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	return load.Run(ctx, load.Config{Callers: f.callers, Duration: d}, target)
}

func (f crowdFlags) print(s *site, bound int, beside, streams, readers string, r *load.Report, resident string) {
	fmt.Fprintf(s.out, "| %d | %s | %s | %s | %.0f | %s | %s | %s | %d | %s |\n", bound, beside, streams, readers,
		float64(r.OK)/r.Took.Seconds(), brief(r.Answers.At(0.5)), brief(r.Answers.At(0.99)), brief(r.Answers.Max()), r.Due-r.OK, resident)
}

// waiting brings in a document that the provider puts off for long, and returns
// its id when it waits.
func (c *child) waiting(ctx context.Context, d *desk) (string, error) {
	d.later.Store(true)
	defer d.later.Store(false)
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	var doc struct{ ID, Status, Waiting string }
	ask := func(method, path, body string) error {
		req, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close() //nolint:errcheck // it was only read
		if resp.StatusCode >= 300 {
			return fmt.Errorf("a document that waits: %s", resp.Status)
		}
		return json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&doc)
	}
	if err := ask(http.MethodPost, "/v1/documents", `{"filename":"later.txt","text":"What is put off is watched by many."}`); err != nil {
		return "", err
	}
	for range 300 {
		if err := ask(http.MethodGet, "/v1/documents/"+doc.ID, ""); err != nil {
			return "", err
		}
		if doc.Waiting != "" {
			return doc.ID, nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("the document is %s, and does not wait", doc.Status)
}

// gathering is a crowd.
type gathering struct {
	all           sync.WaitGroup
	streams, full atomic.Int64 // open, refused
	readers, shed atomic.Int64 // whose answer has begun, refused
}

// gather has n come, and returns when each has its place or was refused.
func (g *gathering) gather(ctx context.Context, c *child, id string, n int) error {
	there := make(chan error, n)
	address := strings.TrimPrefix(c.url, "http://")
	const question = `{"query":"the","mode":"lexical","max_chunks":1000,"token_budget":1000000,"neighbors":20}`
	stream := "GET /v1/documents/" + id + "/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
	slow := fmt.Sprintf("POST /v1/retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(question), question)
	gate := make(chan struct{}, 64) // of those who come at a time
	for i := range n {
		g.all.Go(func() {
			gate <- struct{}{}
			if i%2 == 0 {
				g.sit(ctx, address, stream, &g.streams, &g.full, there, gate)
			} else {
				g.sit(ctx, address, slow, &g.readers, &g.shed, there, gate)
			}
		})
	}
	for range n {
		select {
		case err := <-there:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// sit sends a request, tells there how it was met, and takes a few bytes a second
// of what comes until ctx ends. One whom the server cuts off stays away.
func (g *gathering) sit(ctx context.Context, address, request string, taken, refused *atomic.Int64, there chan<- error, gate <-chan struct{}) {
	dialer := net.Dialer{Timeout: 10 * time.Second, Control: smallBuffer}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		<-gate
		there <- fmt.Errorf("the crowd cannot come in: %w", err)
		return
	}
	defer conn.Close() //nolint:errcheck // nothing is left to be said
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	r := bufio.NewReaderSize(conn, 16)
	line := ""
	if _, err = io.WriteString(conn, request); err == nil {
		line, err = r.ReadString('\n')
	}
	<-gate
	switch {
	case err != nil:
		there <- fmt.Errorf("one of the crowd: %w", err)
		return
	case !strings.Contains(line, " 200 "):
		refused.Add(1)
		there <- nil
		return
	}
	taken.Add(1)
	there <- nil
	for sleep(ctx, time.Second) == nil {
		if _, err := io.CopyN(io.Discard, r, 16); err != nil {
			return
		}
	}
}
