package mcpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"weir/internal/rag"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// tool is one tool: its arguments are an In, its structured output an Out.
type tool[In, Out any] struct {
	name, title, description string
	writes                   bool
	restrict                 func(arguments map[string]*jsonschema.Schema) // bounds beyond the types of In
	// run returns the output and the same as text, for clients that have no
	// eye for structure.
	run func(ctx context.Context, user rag.User, in In) (out Out, text string, err error)
}

// add has d's server offer t. Arguments are decoded here and not by the SDK,
// whose errors name no code.
func add[In, Out any](d *Door, t tool[In, Out]) error {
	input, err := jsonschema.For[In](nil)
	if err != nil {
		return fmt.Errorf("the arguments of %s: %w", t.name, err)
	}
	output, err := jsonschema.For[Out](nil)
	if err != nil {
		return fmt.Errorf("the output of %s: %w", t.name, err)
	}
	for _, argument := range input.Properties {
		plain(argument)
	}
	plain(output)
	if input.Type != "object" || output.Type != "object" { // clients take no list of tools with another
		return fmt.Errorf("the arguments and the output of %s must be objects", t.name)
	}
	if t.restrict != nil {
		t.restrict(input.Properties)
	}
	no := false
	described := &mcp.Tool{
		Name: t.name, Title: t.title, Description: t.description, InputSchema: input, OutputSchema: output,
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: !t.writes, DestructiveHint: &no, IdempotentHint: true, OpenWorldHint: &no},
	}
	d.server.AddTool(described, func(ctx context.Context, req *mcp.CallToolRequest) (res *mcp.CallToolResult, _ error) {
		defer func() {
			if p := recover(); p != nil {
				res = d.toolError(ctx, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			}
		}()
		var in In
		if err := decode(req.Params.Arguments, input.Properties, &in); err != nil {
			return d.toolError(ctx, err), nil
		}
		out, text, err := t.run(ctx, userOf(ctx), in)
		if err != nil {
			return d.toolError(ctx, err), nil
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}, StructuredContent: out}, nil
	})
	return nil
}

// plain takes null out of the types of s. An argument may be left out, and some
// models are confused by a choice of types; an output is there, and clients want
// it to be an object and nothing else.
func plain(s *jsonschema.Schema) {
	if types := slices.DeleteFunc(slices.Clone(s.Types), func(t string) bool { return t == "null" }); len(types) == 1 {
		s.Types, s.Type = nil, types[0]
	}
}

// decode reads arguments into in. A name that is not known is refused: it may
// be a misspelt limit.
func decode(raw json.RawMessage, known map[string]*jsonschema.Schema, in any) error {
	if len(raw) == 0 {
		return nil
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return rag.FieldErrorf("arguments", "must be a JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if known[name] == nil {
			const most = 64
			if len(name) > most {
				name = name[:most] + "…"
			}
			return rag.FieldErrorf(strings.ToValidUTF8(name, "?"), "there is no such argument; there are %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	err := json.Unmarshal(plainWholes(raw, given, known), in)
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped):
		field, _, _ := strings.Cut(mistyped.Field, ".")
		want := "of another type"
		if s := known[field]; s != nil {
			want = map[string]string{
				"integer": "a whole number", "number": "a number", "string": "a string", "boolean": "true or false", "array": "a list of strings",
			}[s.Type]
		}
		return rag.FieldErrorf(field, "must be %s, not %s", want, mistyped.Value)
	case err != nil:
		return rag.FieldErrorf("arguments", "cannot be read")
	}
	return nil
}

// plainWholes is raw, which are the arguments given, with whole numbers that were
// written with a fraction or an exponent written without: 2.0 is an integer to
// the schema that clients are told, and not to encoding/json.
func plainWholes(raw json.RawMessage, given map[string]json.RawMessage, known map[string]*jsonschema.Schema) json.RawMessage {
	changed := false
	for name, value := range given {
		if known[name].Type != "integer" || !bytes.ContainsAny(value, ".eE") {
			continue
		}
		v, err := strconv.ParseFloat(string(value), 64)
		if err != nil || v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
			continue
		}
		given[name], changed = strconv.AppendInt(nil, int64(v), 10), true
	}
	if !changed {
		return raw
	}
	plain, err := json.Marshal(given)
	if err != nil { // cannot be: each value is valid JSON
		return raw
	}
	return plain
}

func atLeast(s *jsonschema.Schema, least float64) { s.Minimum = &least }

func between(s *jsonschema.Schema, least, most float64) { s.Minimum, s.Maximum = &least, &most }
