// Command benchtable turns the output of `go test -bench` on standard input
// into the Markdown tables of docs/PERFORMANCE.md: a row for each benchmark,
// its time for each number of cores, then what it reports of itself (on the
// fewest cores). It fails when a benchmark failed or none ran.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

type row struct {
	name    string
	micros  map[int]float64
	metrics map[string]string
	cores   int // the fewest
}

type table struct {
	title   string
	rows    []*row
	cores   []int
	metrics []string
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var tables []*table
	failed, ran := false, false
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "pkg: "):
			tables = append(tables, &table{title: fields[1]})
		case strings.HasPrefix(line, "cpu: "):
			fmt.Fprintf(out, "%s\n\n", line)
		case strings.HasPrefix(line, "Benchmark") && len(fields) >= 4 && len(tables) > 0:
			tables[len(tables)-1].add(fields)
			ran = true
		case strings.Contains(line, "FAIL"), strings.HasPrefix(line, "panic:"):
			failed = true
			fallthrough
		default:
			fmt.Fprintln(os.Stderr, line)
		}
	}
	for _, t := range tables {
		t.print(out)
	}
	switch {
	case lines.Err() != nil:
		return lines.Err()
	case failed:
		return fmt.Errorf("a benchmark failed; what it said is above")
	case !ran:
		return fmt.Errorf("no benchmark ran")
	}
	return nil
}

// add takes one line, such as
// BenchmarkX/sub-4  100  12345 ns/op  0.99 recall.
func (t *table) add(fields []string) {
	name, cores := strings.TrimPrefix(fields[0], "Benchmark"), 1
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		if n, err := strconv.Atoi(name[i+1:]); err == nil {
			name, cores = name[:i], n
		}
	}
	i := slices.IndexFunc(t.rows, func(r *row) bool { return r.name == name })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, &row{name: name, micros: map[int]float64{}, metrics: map[string]string{}, cores: cores})
	}
	if !slices.Contains(t.cores, cores) {
		t.cores = append(t.cores, cores)
	}
	r := t.rows[i]
	for k := 2; k+1 < len(fields); k += 2 {
		value, unit := fields[k], fields[k+1]
		switch {
		case unit == "ns/op":
			if ns, err := strconv.ParseFloat(value, 64); err == nil {
				r.micros[cores] = ns / 1000
			}
		case cores == r.cores:
			r.metrics[unit] = value
			if !slices.Contains(t.metrics, unit) {
				t.metrics = append(t.metrics, unit)
			}
		}
	}
}

func (t *table) print(out io.Writer) {
	if len(t.rows) == 0 {
		return
	}
	fmt.Fprintf(out, "### %s\n\n| |", t.title)
	for _, c := range t.cores {
		fmt.Fprintf(out, " µs/op, %d core(s) |", c)
	}
	for _, m := range t.metrics {
		fmt.Fprintf(out, " %s |", m)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---|", len(t.cores)+len(t.metrics)))
	for _, r := range t.rows {
		fmt.Fprintf(out, "| %s |", r.name)
		for _, c := range t.cores {
			if us, ok := r.micros[c]; ok {
				fmt.Fprintf(out, " %.4g |", us)
			} else {
				fmt.Fprint(out, " |")
			}
		}
		for _, m := range t.metrics {
			fmt.Fprintf(out, " %s |", r.metrics[m])
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
}
