package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sample is what a process has at a moment; -1 where that cannot be known.
type sample struct {
	at         time.Duration // since the sampler began
	resident   int           // KiB
	peak       int           // KiB, since the process began
	goroutines int
	sockets    int
	files      int
}

// look takes a sample of Weir: memory and sockets as the kernel counts them,
// goroutines from its metrics.
func (c *child) look(ctx context.Context) sample {
	s := sample{resident: -1, peak: -1, goroutines: -1, sockets: -1, files: -1}
	proc := filepath.Join("/proc", strconv.Itoa(c.cmd.Process.Pid))
	if b, err := os.ReadFile(filepath.Join(proc, "status")); err == nil { //nolint:gosec // of a child of our own
		for line := range bytes.Lines(b) {
			f := bytes.Fields(line)
			if len(f) < 2 {
				continue
			}
			n, err := strconv.Atoi(string(f[1]))
			switch {
			case err != nil:
			case string(f[0]) == "VmRSS:":
				s.resident = n
			case string(f[0]) == "VmHWM:":
				s.peak = n
			}
		}
	}
	if files, err := os.ReadDir(filepath.Join(proc, "fd")); err == nil {
		s.files, s.sockets = len(files), 0
		for _, f := range files {
			if to, err := os.Readlink(filepath.Join(proc, "fd", f.Name())); err == nil && strings.HasPrefix(to, "socket:") {
				s.sockets++
			}
		}
	}
	s.goroutines = c.metric(ctx, "go_goroutines")
	return s
}

// metric is the value of a metric without labels; -1 if there is none.
func (c *child) metric(ctx context.Context, name string) int {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/metrics", nil)
	if err != nil {
		return -1
	}
	t := &http.Transport{DisableKeepAlives: true} // or it would be counted among the sockets
	resp, err := t.RoundTrip(req)
	if err != nil {
		return -1
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(io.LimitReader(resp.Body, 4<<20))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				return int(v)
			}
		}
	}
	return -1
}

// sampler takes samples until it is stopped.
type sampler struct {
	stop    context.CancelFunc
	all     sync.WaitGroup
	mu      sync.Mutex
	samples []sample
}

// maxSamples bounds them; that is a day of one every five seconds.
const maxSamples = 20_000

func (s *site) sampled(ctx context.Context, c *child, every time.Duration) *sampler {
	ctx, stop := context.WithCancel(ctx)
	p := &sampler{stop: stop}
	began := time.Now()
	p.all.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for range maxSamples {
			v := c.look(ctx)
			if ctx.Err() != nil {
				return
			}
			v.at = time.Since(began)
			p.mu.Lock()
			p.samples = append(p.samples, v)
			p.mu.Unlock()
			fmt.Fprintf(s.talk, "  %4.0f s: %s\n", v.at.Seconds(), v)
			select {
			case <-t.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return p
}

// end stops it and returns what it has.
func (p *sampler) end() []sample {
	p.stop()
	p.all.Wait()
	return p.samples
}

func (v sample) String() string {
	return fmt.Sprintf("%s resident (most %s), %s goroutines, %s sockets, %s files", mib(v.resident), mib(v.peak), count(v.goroutines), count(v.sockets), count(v.files))
}

func mib(kib int) string {
	if kib < 0 {
		return "?"
	}
	return fmt.Sprintf("%d MiB", (kib+512)/1024)
}

func count(n int) string {
	if n < 0 {
		return "?"
	}
	return strconv.Itoa(n)
}

// most is the largest resident size of some samples.
func most(all []sample) int {
	m := -1
	for _, s := range all {
		m = max(m, s.resident)
	}
	return m
}
