package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"weir/internal/load"
)

// The most that is read of the files of a load.
const (
	maxLoadBody  = 16 << 20
	maxQuestions = 64 << 20
)

// loadRequest says what is asked, and notes it in l.
func (a *app) loadRequest(l *loaded, u *url.URL, f loadFlags) (load.HTTPConfig, error) {
	l.Kind = load.KindOf(u)
	switch f.kind {
	case "":
	case "any":
		l.Kind = load.Any
	default:
		l.Kind = load.Kind(f.kind)
	}
	if err := f.fits(l.Kind); err != nil {
		return load.HTTPConfig{}, err
	}
	c := load.HTTPConfig{URL: u.String(), Kind: l.Kind, Method: strings.ToUpper(f.method), MaxIdle: f.maxOpen, Header: http.Header{}}
	c.Header.Set("User-Agent", "weir/"+thisBuild().Version)
	if err := a.loadHeader(c.Header, f); err != nil {
		return load.HTTPConfig{}, err
	}
	ask := load.Ask{Mode: f.mode, TimeoutMS: f.timeoutMS, Model: f.model, Encoding: f.encoding}
	if f.questions != "" {
		lines, err := readLoadQuestions(f.questions)
		if err != nil {
			return load.HTTPConfig{}, err
		}
		ask.Questions.Lines, l.Questions = lines, len(lines)
	} else {
		l.Seed = cmp.Or(f.seed, newSeed())
		ask.Questions.Seed = l.Seed
	}
	switch {
	case f.body != "":
		b, err := readBounded(f.body, maxLoadBody)
		if err != nil {
			return load.HTTPConfig{}, err
		}
		c.Body = ask.Template(string(b))
	case l.Kind == load.Retrieve:
		c.Body = ask.Retrieve
	case l.Kind == load.Embeddings:
		c.Body = ask.Embeddings
	default:
		l.Seed = 0 // nothing is made up
	}
	switch {
	case f.user != "":
		c.User = func(int64) string { return f.user }
	case f.users > 0:
		c.User = func(n int64) string { return fmt.Sprintf("user-%d", n%int64(f.users)+1) }
	}
	return c, nil
}

// fits refuses flags that would have no effect.
func (f loadFlags) fits(k load.Kind) error {
	switch {
	case k != load.Retrieve && (f.mode != "" || f.timeoutMS > 0):
		return usagef("--mode and --timeout-ms are for Weir's /v1/retrieve (--kind retrieve)")
	case k != load.Embeddings && f.encoding != "":
		return usagef("--encoding is for an embeddings endpoint (--kind embeddings)")
	case f.body != "" && (f.mode != "" || f.timeoutMS > 0 || f.encoding != ""):
		return usagef("with --body the file says all; leave --mode, --timeout-ms and --encoding out")
	case f.body == "" && k == load.Any && f.questions != "":
		return usagef("--questions has no place without --body: put {{question}} into a file and name it with --body")
	}
	return nil
}

// loadHeader fills in the headers that are asked for. A key is in none that is
// ever printed.
func (a *app) loadHeader(h http.Header, f loadFlags) error {
	for _, line := range f.headers {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) ||
			strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return usagef("--header must be like \"Name: value\"") // the line may hold a secret
		}
		h.Add(name, value)
	}
	if f.keyVar == "" {
		return nil
	}
	key := strings.TrimSpace(a.variable(f.keyVar))
	switch {
	case key == "":
		return usagef("--key-env %s: there is no such variable, or it is empty", printable(f.keyVar))
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return usagef("--key-env %s: the key holds characters that no key has (a space, a line break, a letter outside ASCII)", printable(f.keyVar))
	case h.Get("Authorization") != "":
		return usagef("--key-env and --header Authorization are two keys; give one")
	}
	h.Set("Authorization", "Bearer "+key)
	return nil
}

func readLoadQuestions(name string) ([]string, error) {
	b, err := readBounded(name, maxQuestions)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range bytes.Lines(b) {
		if q := strings.TrimSpace(string(line)); q != "" {
			lines = append(lines, q)
		}
	}
	if len(lines) == 0 {
		return nil, usagef("%s holds no question; it must have one in each line", printable(name))
	}
	return slices.Clip(lines), nil
}

// readBounded reads a file that is no larger than it may be.
func readBounded(name string, most int64) (b []byte, err error) {
	file, err := os.Open(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	b, err = io.ReadAll(io.LimitReader(file, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > most:
		return nil, fmt.Errorf("%s is larger than %s", printable(name), size(most))
	}
	return b, nil
}
