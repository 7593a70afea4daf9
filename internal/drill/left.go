package drill

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"
)

// labelKey is the label of the goroutines of a target. Goroutines inherit it
// from whoever starts them, however deep in a library.
const labelKey = "weir_drill"

// labels of one target, unlike all others.
func newLabels() (pprof.LabelSet, string) {
	id := rand.Text()
	return pprof.Labels(labelKey, id), id
}

// goroutines counts those that have the label now, by what they are at: the
// innermost function that is not the runtime's.
func goroutines(id string) (n int, at []string) {
	var text bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		return 0, nil // cannot be: a Buffer takes all
	}
	var (
		count int
		ours  bool
		named bool
	)
	lines := bufio.NewScanner(&text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		fields := strings.Fields(line)
		switch {
		case len(fields) > 1 && fields[1] == "@":
			count, _ = strconv.Atoi(fields[0])
			ours, named = false, false
		case strings.HasPrefix(line, "# labels:") && strings.Contains(line, strconv.Quote(id)):
			ours = true
			n += count
		case ours && !named && len(fields) > 2 && fields[0] == "#":
			f, _, _ := strings.Cut(fields[2], "+0x")
			if strings.HasPrefix(f, "runtime.") || strings.HasPrefix(f, "internal/") || strings.HasPrefix(f, "sync.") {
				continue
			}
			at = append(at, fmt.Sprintf("%d × %s", count, f))
			named = true
		}
	}
	slices.Sort(at)
	return n, at
}

// settle is how long a closed target has for its goroutines and connections to
// end.
const settle = 2 * time.Second

// remain waits until no goroutine has the label, or ctx ends, and returns how
// many have then.
func remain(ctx context.Context, id string) (n int, at []string) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		n, at = goroutines(id)
		if n == 0 {
			return 0, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return n, at
		}
	}
}
