// Package browser drives the page of the built program in Chromium.
//
// It runs when WEIR_E2E or WEIR_REQUIRE_BROWSER is 1, as in .ci/browser; "go
// test ./..." alone skips it. WEIR_AXE is the path of axe.min.js of axe-core,
// WEIR_SHOTS a folder for pictures of what is tested.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"weir/e2e/weirtest"
)

var (
	binary   string // the program under test
	chromium string // the browser
)

func TestMain(m *testing.M) {
	required := os.Getenv("WEIR_REQUIRE_BROWSER") == "1"
	if !required && os.Getenv("WEIR_E2E") != "1" {
		fmt.Println("skipped: set WEIR_E2E=1 to build the program and drive its page in Chromium")
		return
	}
	var err error
	chromium, err = find("chromium", "chromium-browser", "google-chrome")
	if err != nil {
		if required {
			fmt.Println("WEIR_REQUIRE_BROWSER is set and there is no Chromium:", err)
			os.Exit(1)
		}
		fmt.Println("skipped: there is no Chromium to drive the page in:", err)
		return
	}
	os.Exit(weirtest.Run(m, &binary))
}

func find(names ...string) (path string, err error) {
	for _, name := range names {
		if path, err = exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", err
}

// start is a browser of its own for one test: nothing is kept from one to the
// next.
func start(t *testing.T) context.Context {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium), chromedp.UserDataDir(t.TempDir()),
		chromedp.NoFirstRun, chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU, chromedp.WindowSize(1280, 900),
		chromedp.WSURLReadTimeout(patience), // by itself 20 s, for a browser to start beside all other checks
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "no-default-browser-check", "disable-extensions"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 9*patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(t.Logf)) // of events that it does not know
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the process, which writes into its folder until then
		cancel()
	})
	return ctx
}

// patience is how long anything here may take.
const patience = time.Minute

// tab is one page of a browser that has nothing in common with those of other
// tests. It fails its test when the page logs an error, breaks its own policy,
// opens a dialog of the browser, or asks anything of anybody else.
type tab struct {
	t      *testing.T
	ctx    context.Context
	origin string

	mu       sync.Mutex
	complain []string
	expected *regexp.Regexp // complaints that belong to the test
	chosen   chan cdp.BackendNodeID
}

type screen struct {
	width, height int64
	dark, phone   bool
	still         bool // reduced motion
}

func open(t *testing.T, url string, s screen) *tab {
	t.Helper()
	ctx := start(t)
	origin, _, _ := strings.Cut(url, "/#")
	b := &tab{t: t, ctx: ctx, origin: strings.TrimSuffix(origin, "/"), chosen: make(chan cdp.BackendNodeID, 1)}
	chromedp.ListenTarget(ctx, b.listen)
	if s.width == 0 {
		s.width, s.height = 1280, 900
	}
	media := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}
	if s.dark {
		media[0].Value = "dark"
	}
	if s.still {
		media = append(media, &emulation.MediaFeature{Name: "prefers-reduced-motion", Value: "reduce"})
	}
	if err := chromedp.Run(ctx); err != nil { // the first Run starts it, for as long as its ctx lives
		t.Fatal(err)
	}
	b.run(runtime.Enable(), log.Enable(), network.Enable(), page.SetInterceptFileChooserDialog(true),
		emulation.SetDeviceMetricsOverride(s.width, s.height, 1, s.phone), emulation.SetEmulatedMedia().WithFeatures(media),
		chromedp.Navigate(url))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range b.complain {
			if b.expected == nil || !b.expected.MatchString(c) {
				t.Errorf("the page: %s", c)
			}
		}
	})
	return b
}

// expect lets complaints pass that belong to what is tested.
func (b *tab) expect(pattern string) {
	b.mu.Lock()
	b.expected = regexp.MustCompile(pattern)
	b.mu.Unlock()
}

func (b *tab) listen(event any) {
	note := func(format string, args ...any) {
		b.mu.Lock()
		b.complain = append(b.complain, fmt.Sprintf(format, args...))
		b.mu.Unlock()
	}
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		note("exception: %s", e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning || e.Type == runtime.APITypeAssert {
			said, _ := json.Marshal(e.Args)
			note("console: %s %s", e.Type, said)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			note("log: %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.origin+"/") && !strings.HasPrefix(e.Request.URL, "data:") {
			note("request to another: %s", e.Request.URL)
		}
	case *page.EventJavascriptDialogOpening:
		note("dialog: %s", e.Message)
		go func() { _ = chromedp.Run(b.ctx, page.HandleJavaScriptDialog(false)) }()
	case *page.EventFileChooserOpened:
		b.chosen <- e.BackendNodeID
	}
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// eval is the value of an expression; promises are waited for.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	var v T
	b.run(chromedp.Evaluate(expression, &v, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	return v
}

// until waits for an expression to be true. (chromedp's own Poll makes code of
// a string, which the page's policy forbids.)
func (b *tab) until(expression string) {
	b.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(25 * time.Millisecond)
	defer again.Stop()
	for {
		if eval[bool](b, "Boolean("+expression+")") {
			return
		}
		select {
		case <-again.C:
		case <-deadline.C:
			b.shot("failed")
			b.t.Logf("status: %s", eval[string](b, "fetch('/v1/status').then((r) => r.json()).then((s) => JSON.stringify(s.pipeline || s), String)"))
			b.t.Fatalf("never came true: %s\nthe page shows: %.2000s", expression, eval[string](b, "document.body.innerText"))
		}
	}
}

// shows waits until an element shows text.
func (b *tab) shows(selector, text string) {
	b.t.Helper()
	s, _ := json.Marshal(selector)
	x, _ := json.Marshal(text)
	b.until(fmt.Sprintf("[...document.querySelectorAll(%s)].some((e) => e.checkVisibility() && e.innerText.includes(%s))", s, x))
}

// click clicks on an element, and again where it was missed: a banner that comes
// or goes between the look for its place and the click moves it.
func (b *tab) click(selector string) {
	b.t.Helper()
	s, _ := json.Marshal(selector)
	watch := fmt.Sprintf(`{
		window.watch?.abort();
		window.watch = new AbortController();
		window.hit = false;
		document.addEventListener("click", (e) => { window.hit ||= Boolean(e.target.closest(%s)); }, { capture: true, signal: window.watch.signal });
	}`, s)
	for began := time.Now(); ; {
		b.run(chromedp.Evaluate(watch, nil), chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible))
		if eval[bool](b, "window.hit") {
			return
		}
		if time.Since(began) > patience {
			b.t.Fatalf("%s is never hit", selector)
		}
	}
}

func (b *tab) keys(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.run(chromedp.KeyEvent(k))
	}
}

func (b *tab) ask(question string) {
	b.t.Helper()
	b.run(chromedp.SetValue("#question", question, chromedp.ByQuery))
	b.click("#ask-go")
}

// onlyPassages unticks the box that asks for an answer.
func (b *tab) onlyPassages() {
	b.t.Helper()
	b.run(chromedp.Evaluate("document.querySelector('#write').checked = false", nil))
}

func (b *tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("WEIR_SHOTS")
	if dir == "" {
		return
	}
	var png []byte
	b.run(chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Error(err)
	}
}
