package chaos

import "context"

// Stats counts what a provider has seen. A connection that is refused, or
// falls into the black hole, is the kernel's and is not seen.
type Stats struct {
	// Connections were accepted, or rejected for want of room.
	Connections int
	// Open connections there are now.
	Open int
	// Calls of the embeddings endpoint whose request was read.
	Calls int
	// Attempts are Calls, and connections that failed before there was one.
	Attempts int
	// Answered calls were given the right answer, or what the fault has in its
	// place, to the last byte.
	Answered int
	// Texts were in the calls.
	Texts int
	// InFlight calls are between request and end now.
	InFlight int
	// MaxInFlight is the most there were at a time since the last Set or Heal.
	MaxInFlight int
	// Lookups of names.
	Lookups int
}

// Stats returns the counts so far.
func (p *Provider) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Await returns when ok holds of the counts, or ctx ends, with its cause.
func (p *Provider) Await(ctx context.Context, ok func(Stats) bool) error {
	for {
		p.mu.Lock()
		now, changed := p.stats, p.changed
		p.mu.Unlock()
		if ok(now) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// count changes the counts and wakes those who await them.
func (p *Provider) count(change func(*Stats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counted(change)
}

// counted is count for who holds the mutex.
func (p *Provider) counted(change func(*Stats)) {
	change(&p.stats)
	close(p.changed)
	p.changed = make(chan struct{})
}
