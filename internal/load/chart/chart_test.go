package chart

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/load"

	"go.uber.org/goleak"
)

var keep = flag.String("keep", "", "folder to write the pictures to, to look at them")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trouble answers, refuses, fails and hangs.
type trouble struct{}

func (trouble) Call(ctx context.Context, n int64) load.Result {
	wait := func(d time.Duration) {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	switch {
	case n%41 == 7:
		<-ctx.Done()
		return load.Result{Outcome: load.Failed, Kind: "canceled"}
	case n%7 == 3:
		wait(time.Millisecond)
		return load.Result{Outcome: load.Refused}
	case n%11 == 5:
		wait(400 * time.Millisecond)
		return load.Result{Outcome: load.Failed, Kind: "status 500"}
	case n%5 == 2:
		wait(900 * time.Millisecond)
		return load.Result{Outcome: load.Degraded}
	default:
		wait(time.Duration(20+n%37) * time.Millisecond)
		return load.Result{Outcome: load.Answered}
	}
}

func troubled(t *testing.T) Chart {
	t.Helper()
	c := Chart{Title: `load <of> "all" & sundry`, Subtitle: "FAIL: as it should"}
	synctest.Test(t, func(t *testing.T) {
		for _, cfg := range []load.Config{
			{Rate: 20, Duration: 6 * time.Second, Deadline: 2 * time.Second, MaxOpen: 5},
			{Callers: 4, Rounds: 8, Deadline: 2 * time.Second},
		} {
			r, err := load.Run(t.Context(), cfg, trouble{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Hung == 0 || r.Refused == 0 || r.Failed == 0 || r.Degraded == 0 {
				t.Fatalf("there is not everything to draw: %+v", r)
			}
			c.Parts = append(c.Parts, Part{Name: "part", Report: r})
		}
	})
	return c
}

// parse returns the elements of an XML document by name, and all its text.
func parse(t *testing.T, b []byte) (elements map[string]int, said string) {
	t.Helper()
	elements = map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements, said
		}
		if err != nil {
			t.Fatalf("it is not XML: %v", err)
		}
		switch v := token.(type) {
		case xml.StartElement:
			elements[v.Name.Local]++
			for _, a := range v.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s %s=%q", v.Name.Local, a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			said += string(v) + "\n"
		}
	}
}

func TestSVG(t *testing.T) {
	c := troubled(t)
	b := c.SVG()
	elements, said := parse(t, b)
	if elements["svg"] != 1 || elements["path"] < 8 || elements["polyline"] < 10 {
		t.Errorf("got %v", elements)
	}
	for _, want := range []string{c.Title, c.Subtitle, "answered ", "degraded ", "refused ", "failed ", "hung ", "not sent ", "deadline 2 s", "p99 ", "prefers-color-scheme:dark"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, "trouble.svg"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPNG(t *testing.T) {
	c := troubled(t)
	b, err := c.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, "trouble.png"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, width*scale, height*scale) {
		t.Errorf("it is %v", img.Bounds())
	}
	// Each colour that has something to draw is there, unmixed.
	for _, i := range []ink{inkPaper, inkText, inkAnswered, inkRefused, inkFailed, inkHung, inkP50, inkP99} {
		want, _ := palette(i)
		n := 0
		for y := range height * scale {
			for x := range width * scale {
				r, g, b, _ := img.At(x, y).RGBA()
				if uint8(r>>8) == want.R && uint8(g>>8) == want.G && uint8(b>>8) == want.B {
					n++
				}
			}
		}
		if n < 4 {
			t.Errorf("ink %d is on %d pixels", i, n)
		}
	}
}

func TestNothingWasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := load.Run(t.Context(), load.Config{Callers: 2, Rounds: 1, Deadline: time.Second}, hangs{})
		if err != nil {
			t.Fatal(err)
		}
		c := Chart{Title: "t", Parts: []Part{{Report: r}}}
		if _, said := parse(t, c.SVG()); !strings.Contains(said, "nothing was answered") || !strings.Contains(said, "hung 2") {
			t.Errorf("it says %s", said)
		}
		if _, err := c.PNG(); err != nil {
			t.Error(err)
		}
	})
}

type hangs struct{}

func (hangs) Call(ctx context.Context, _ int64) load.Result {
	<-ctx.Done()
	return load.Result{}
}

func TestSteps(t *testing.T) {
	for span, want := range map[float64]float64{5: 1, 8: 1, 60: 10, 0.06: 0.01, 100: 20, 3600: 500} {
		if got := niceStep(span, 8); got < want*0.999 || got > want*1.001 {
			t.Errorf("%v: got %v, want %v", span, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		100 * time.Microsecond: "100 µs", 1500 * time.Microsecond: "1.5 ms", 1234 * time.Millisecond: "1.23 s", 999 * time.Millisecond: "999 ms", 2 * time.Hour: "7200 s",
	} {
		if got := short(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}
