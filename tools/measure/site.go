package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"weir/internal/load"
)

// site is where a measurement is made.
type site struct {
	binary string
	dim    int
	dir    string
	out    io.Writer // tables
	talk   io.Writer
}

// build builds Weir, unless a program was given.
func (s *site) build(ctx context.Context) error {
	if s.binary != "" {
		var err error
		s.binary, err = filepath.Abs(s.binary) // it is started in another folder
		return err
	}
	s.binary = filepath.Join(s.dir, "weir")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", s.binary, "weir/cmd/weir") //nolint:gosec // a folder of our own
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = s.talk
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build weir (run this within its repository, or give --weir): %w", err)
	}
	return nil
}

// machine is what the numbers were measured on, in a line.
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s", model, runtime.NumCPU(), runtime.Version())
}

// child is Weir in a process of its own.
type child struct {
	url  string
	cmd  *exec.Cmd
	read chan struct{} // closed when all it prints was read
	log  *os.File
}

// partingTime is how long it may take to end in order.
const partingTime = 15 * time.Second

// start starts Weir in front of a provider, on an empty folder. It ends with
// stop.
func (s *site) start(ctx context.Context, name, provider string, env ...string) (*child, error) {
	log, err := os.Create(filepath.Join(s.dir, name+".log")) //nolint:gosec // a folder of our own
	if err != nil {
		return nil, err
	}
	// Without ctx: an interrupt lets stop do its work.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.binary, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(s.dir, name)) //nolint:gosec // the program to measure
	cmd.Dir = s.dir                                                                                                                            // no weir.yaml of somebody's
	cmd.Env = append([]string{
		"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.dir,
		"WEIR_EMBEDDER=openai", "OPENAI_BASE_URL=" + provider, "OPENAI_API_KEY=none",
		"WEIR_EMBEDDING_MODEL=chaos", fmt.Sprintf("WEIR_EMBEDDING_DIMENSIONS=%d", s.dim), "WEIR_LOG_LEVEL=error",
	}, env...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	c := &child{cmd: cmd, read: make(chan struct{}), log: log}
	ready := make(chan string, 1)
	go func() {
		defer close(c.read)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if url, ok := strings.CutPrefix(lines.Text(), "Weir is ready at "); ok {
				ready <- url
			}
		}
	}()
	wait := time.NewTimer(30 * time.Second)
	defer wait.Stop()
	select {
	case c.url = <-ready:
		return c, nil
	case <-c.read:
		err = errors.New("weir ended before it was ready")
	case <-wait.C:
		err = errors.New("weir was not ready within 30 s")
	case <-ctx.Done():
		err = ctx.Err()
	}
	said, _ := os.ReadFile(log.Name())
	return nil, errors.Join(fmt.Errorf("%w; it said: %s", err, bytes.TrimSpace(said)), c.stop())
}

// stop ends it: in order, and if it does not, at once.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which Wait tells
	kill := time.AfterFunc(partingTime, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	<-c.read
	return errors.Join(c.cmd.Wait(), c.log.Close())
}

// alive returns an error if it has ended.
func (c *child) alive() error {
	select {
	case <-c.read:
		said, _ := os.ReadFile(c.log.Name())
		return fmt.Errorf("weir has ended: %s", bytes.TrimSpace(said))
	default:
		return nil
	}
}

// teach brings in documents, so that there is something to find.
func (c *child) teach(ctx context.Context, documents int) error {
	ask := load.Questions{Seed: 1}
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	for d := range documents {
		var text strings.Builder
		for i := range 12 {
			text.WriteString(ask.At(int64(d*12+i)) + "\n\n")
		}
		body, err := json.Marshal(map[string]string{"filename": fmt.Sprintf("%d.txt", d), "text": text.String()})
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/documents?wait=true", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("bring in a document: %w", err)
		}
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		_ = resp.Body.Close()
		if resp.StatusCode >= 300 || !bytes.Contains(said, []byte(`"ready"`)) {
			return fmt.Errorf("bring in a document: %s: %s", resp.Status, said)
		}
	}
	return nil
}

// retrieve is a caller of Weir's retrieval.
func (c *child) retrieve(mode string, seed uint64) (*load.HTTP, error) {
	ask := load.Ask{Questions: load.Questions{Seed: seed}, Mode: mode}
	return load.NewHTTP(load.HTTPConfig{URL: c.url + "/v1/retrieve", Kind: load.Retrieve, Body: ask.Retrieve})
}

// sleep waits, or returns why not.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
