package drill

import (
	"context"
	"slices"
	"sync"
)

// Run drives all faults of cfg and returns their rows in the order of cfg. It
// returns an error, with the rows there are, when ctx ends; and at once when
// cfg cannot be.
func Run(ctx context.Context, cfg Config, open Open) ([]Row, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	d := &drillRun{cfg: cfg, open: open, rows: make([]*Row, len(cfg.Faults))}
	var together, alone []int
	for i, f := range cfg.Faults {
		if slices.Contains(cfg.Alone, f) {
			alone = append(alone, i)
		} else {
			together = append(together, i)
		}
	}
	d.drive(ctx, together, cfg.SideBySide)
	d.drive(ctx, alone, 1)
	whole := make([]Row, 0, len(d.rows))
	for _, r := range d.rows {
		if r != nil {
			whole = append(whole, *r)
		}
	}
	return whole, context.Cause(ctx)
}

// drillRun is one run of the drill.
type drillRun struct {
	cfg     Config
	open    Open
	rows    []*Row // by the index of the fault; nil: not driven to its end
	telling sync.Mutex
}

// drive drives the faults of the indexes, side of them at a time.
func (d *drillRun) drive(ctx context.Context, indexes []int, side int) {
	next := make(chan int)
	var all sync.WaitGroup
	for range min(side, len(indexes)) {
		all.Go(func() {
			for i := range next {
				e, _ := d.cfg.lookup(d.cfg.Faults[i])
				d.tell(Event{Fault: e.Fault})
				row := drive(ctx, d.cfg, e, d.open)
				if ctx.Err() != nil {
					continue
				}
				d.rows[i] = row
				d.tell(Event{Fault: e.Fault, Row: row})
			}
		})
	}
	feed(ctx, next, indexes)
	all.Wait()
}

func (d *drillRun) tell(e Event) {
	d.telling.Lock()
	defer d.telling.Unlock()
	d.cfg.Watch(e)
}

// feed hands out the indexes until ctx ends.
func feed(ctx context.Context, next chan<- int, indexes []int) {
	defer close(next)
	for _, i := range indexes {
		select {
		case next <- i:
		case <-ctx.Done():
			return
		}
	}
}
