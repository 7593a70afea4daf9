package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"weir/internal/postgres"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

const (
	configFlag  = "config"
	configFile  = "weir.yaml"
	maxFileRead = 1 << 20 // of weir.yaml
)

// origin says where the value of a setting came from.
type origin struct {
	Text string // as given, or the default
	From string // default, weir.yaml, the variable or the flag
}

// loadConfig reads the settings: a flag goes before a variable, a variable
// before weir.yaml, and that before the default. An empty or zero value
// stands for the default, but for those made with setCount. What is unknown or cannot be is a usage error that
// names it.
func (a *app) loadConfig(flags *pflag.FlagSet) (config, error) {
	table := settings()
	variables, err := readVariables(a.env, table)
	if err != nil {
		return config{}, err
	}
	name, err := flags.GetString(configFlag)
	if err != nil {
		return config{}, err
	}
	file, err := readFile(name, table)
	if err != nil {
		return config{}, err
	}
	c := config{origins: make([]origin, len(table))}
	for i, s := range table {
		o := origin{From: "default"}
		if v, ok := file.values[s.key]; ok && v.text != "" {
			o = origin{v.text, fmt.Sprintf("%s:%d", file.name, v.line)}
		}
		if v := variables[s.env]; v != "" {
			o = origin{v, s.env}
		}
		if v, ok, err := s.fromFile(variables); err != nil {
			return config{}, err
		} else if ok {
			o = v
		}
		if s.flag != "" && flags.Changed(s.flag) {
			v, err := flags.GetString(s.flag)
			if err != nil {
				return config{}, err
			}
			o = origin{v, "--" + s.flag}
		}
		if c.origins[i], err = s.take(&c, o); err != nil {
			return config{}, err
		}
	}
	if err := c.settle(); err != nil {
		return c, err
	}
	if c.Store == "postgres" && c.DatabaseURL == "" {
		var wrong error
		c.DatabaseURL = postgres.Address(func(name string) string {
			v, err := a.part(name)
			wrong = errors.Join(wrong, err)
			return v
		})
		if wrong != nil {
			return c, wrong
		}
		if c.DatabaseURL == "" {
			return c, usagef("%s is postgres, but DATABASE_URL is not set (nor PGHOST, POSTGRES_HOST, DB_HOST or SUPABASE_DB_HOST)", c.as("WEIR_STORE"))
		}
		*c.origin("DATABASE_URL") = origin{c.DatabaseURL, "the variables of its parts"}
	}
	return c, nil
}

// take sets what o says, or the default when o is nothing or zero.
func (s setting) take(c *config, o origin) (origin, error) {
	zero := o.Text == ""
	if !zero {
		var err error
		if zero, err = s.set(c, o.Text); err != nil {
			return o, usagef("%s %s", s.as(o), err)
		}
	}
	if !zero {
		return o, nil
	}
	if s.def != "" {
		if _, err := s.set(c, s.def); err != nil {
			return o, fmt.Errorf("the default of %s: %w", s.env, err)
		}
	}
	if o.Text != "" {
		return origin{s.def, "default (" + o.From + " is " + o.Text + ")"}, nil
	}
	return origin{s.def, "default"}, nil
}

// as names a setting as the user gave it: the flag, the variable, or the line
// of the file.
func (s setting) as(o origin) string {
	switch {
	case strings.HasPrefix(o.From, "default"):
		return s.env
	case strings.Contains(o.From, ":"):
		return s.key + " (" + o.From + ")"
	default:
		return o.From
	}
}

// as names the setting of a variable as the user gave it.
func (c *config) as(env string) string {
	for i, s := range settings() {
		if s.env == env {
			return s.as(c.origins[i])
		}
	}
	panic("no setting " + env)
}

// settle fills in what depends on other settings and refuses what does not
// fit together.
func (c *config) settle() error {
	if c.Embedder == "" {
		c.Embedder = "builtin"
		o := origin{"builtin", "default"}
		for _, env := range []string{"OPENAI_BASE_URL", "OPENAI_API_KEY"} {
			if c.given(env) {
				c.Embedder = "openai"
				o = origin{"openai", "default (" + env + " is set)"}
			}
		}
		*c.origin("WEIR_EMBEDDER") = o
	}
	if !c.given("WEIR_CHUNK_OVERLAP") {
		c.ChunkOverlap = c.ChunkTokens / 8
		c.origin("WEIR_CHUNK_OVERLAP").Text = strconv.Itoa(c.ChunkOverlap)
	}
	if err := c.settleChat(); err != nil {
		return err
	}
	switch {
	case c.origin("WEIR_EMBEDDER").From != "default" && c.Embedder == "openai" && !c.given("OPENAI_API_KEY") && !c.given("OPENAI_BASE_URL"):
		return usagef("%s is openai, but OPENAI_API_KEY is not set (nor OPENAI_BASE_URL, for a server that needs no key); set it, or use --embedder none", c.as("WEIR_EMBEDDER"))
	case c.ChunkOverlap*2 > c.ChunkTokens:
		return usagef("%s %d is more than half of %s %d; make it smaller", c.as("WEIR_CHUNK_OVERLAP"), c.ChunkOverlap, c.as("WEIR_CHUNK_TOKENS"), c.ChunkTokens)
	case c.DocumentTimeout < leaseTime:
		return usagef("%s %s is too short; the least is %s", c.as("WEIR_DOCUMENT_TIMEOUT"), short(c.DocumentTimeout), short(leaseTime))
	case c.DocumentTimeout < c.Timeout:
		return usagef("%s %s is shorter than %s %s; a document needs at least the time of one call", c.as("WEIR_DOCUMENT_TIMEOUT"), short(c.DocumentTimeout), c.as("WEIR_TIMEOUT"), short(c.Timeout))
	}
	return c.settleAuth()
}

// origin returns the row of a setting's variable.
func (c *config) origin(env string) *origin {
	for i, s := range settings() {
		if s.env == env {
			return &c.origins[i]
		}
	}
	panic("no setting " + env)
}

// given reports whether the user gave a setting.
func (c *config) given(env string) bool { return !strings.HasPrefix(c.origin(env).From, "default") }

// checkData refuses a data folder that is a file.
func (c *config) checkData() error {
	if info, err := os.Stat(c.Data); err == nil && !info.IsDir() {
		return usagef("%s %s is a file, not a folder; name a folder", c.as("WEIR_DATA"), c.Data)
	}
	return nil // what else is wrong with it shows when it is opened
}

// readVariables picks out the variables of the table. A WEIR_ variable that
// is in none of its rows is a slip that would go unseen.
func readVariables(env []string, table []setting) (map[string]string, error) {
	known := map[string]bool{}
	names := make([]string, 0, len(table))
	for _, s := range table {
		known[s.env] = true
		names = append(names, s.env)
		if file := s.secretFile(); file != "" {
			known[file] = true
		}
	}
	for _, name := range clientVariables() {
		known[name] = true
	}
	values := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case known[name]:
			values[name] = value
		case strings.HasPrefix(name, "WEIR_") && !servicePattern().MatchString(name):
			return nil, usagef("the variable %s is no setting%s", name, didYouMean(name, names))
		}
	}
	return values, nil
}

// clientVariables are those that clients of a server read (clients/python).
// They are no settings, and often stand in the same environment.
func clientVariables() []string { return []string{"WEIR_URL", "WEIR_API_KEY", "WEIR_BIN"} }

// servicePattern matches what Kubernetes sets in every container for a service
// that is called weir.
func servicePattern() *regexp.Regexp { return regexp.MustCompile(`^WEIR_(SERVICE_|PORT(_|$))`) }

// file is weir.yaml as it was read.
type file struct {
	name   string
	values map[string]fileValue
}

type fileValue struct {
	text string
	line int
}

// readFile reads the named file, or ./weir.yaml if there is one.
func readFile(name string, table []setting) (file, error) {
	f := file{name: name, values: map[string]fileValue{}}
	if name == "" {
		f.name = configFile
	}
	opened, err := os.Open(f.name)
	switch {
	case name == "" && (errors.Is(err, fs.ErrNotExist) || outOfReach(err, f.name)):
		return f, nil
	case err != nil:
		return f, usagef("the file of settings %s cannot be read: %s", f.name, cause(err))
	}
	defer opened.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(opened, maxFileRead+1))
	if err != nil {
		return f, usagef("the file of settings %s cannot be read: %s", f.name, cause(err))
	}
	if len(content) > maxFileRead {
		return f, usagef("%s is larger than %s; it is no file of settings", f.name, size(maxFileRead))
	}
	return f, f.parse(content, table)
}

// outOfReach reports whether it is the folder that this user may not enter, as with
// sudo -u weir in the home of another. Nothing there is meant for it. (A file that is
// there and may not be read is another matter: it was meant to be in force.)
func outOfReach(err error, name string) bool {
	if !errors.Is(err, fs.ErrPermission) {
		return false
	}
	_, err = os.Stat(name)
	return errors.Is(err, fs.ErrPermission)
}

func (f *file) parse(content []byte, table []setting) error {
	d := yaml.NewDecoder(bytes.NewReader(content))
	var doc yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil // empty
	} else if err != nil {
		return usagef("%s: %s", f.name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return usagef("%s: holds more than one YAML document", f.name)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return usagef("%s: must be lines of the form name: value", f.name)
	}
	keys := make([]string, len(table))
	for i, s := range table {
		keys[i] = s.key
	}
	pairs := doc.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		k, v := pairs[i], pairs[i+1]
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		_, twice := f.values[k.Value]
		switch {
		case !slices.Contains(keys, k.Value):
			return usagef("%s:%d: %s is no setting%s", f.name, k.Line, k.Value, didYouMean(k.Value, keys))
		case twice:
			return usagef("%s:%d: %s is set twice", f.name, k.Line, k.Value)
		case v.Kind != yaml.ScalarNode:
			return usagef("%s:%d: %s must be a single value", f.name, k.Line, k.Value)
		}
		text := v.Value
		if v.Tag == "!!null" {
			text = ""
		}
		f.values[k.Value] = fileValue{text, v.Line}
	}
	return nil
}
