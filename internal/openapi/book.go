package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// Book makes the schemas of types, each under a name of its own.
type Book struct {
	entries []Entry
	shared  map[reflect.Type]*Schema
}

// Entry is what is said of one type.
type Entry struct {
	Name  string       // under which the document has it
	Type  reflect.Type // a struct, or a string with Enum
	About string
	// Fields says what each field means, by its name in JSON. One that is not
	// there, or that nothing is said of, is an error.
	Fields map[string]string
	// Enum are the values of a string.
	Enum []string
	// Taken: the type is one that requests hold. What may be left out of it may
	// also be null, and it has no other fields than these. One that is not Taken
	// is given: a list in it is never null, nor is what may be absent; and
	// readers should expect fields to be added.
	Taken bool
	// Refine adds what the type does not tell, such as bounds. Defaults to
	// nothing.
	Refine func(s *Schema)
}

// Ref is a reference to the schema of a name.
func Ref(name string) *Schema { return &Schema{Ref: refPrefix + name} }

const refPrefix = "#/components/schemas/"

// Add puts an entry into the book.
func (b *Book) Add(entries ...Entry) { b.entries = append(b.entries, entries...) }

// Schemas makes the schemas of all entries. With an error there are those that
// could be made.
func (b *Book) Schemas() (map[string]*Schema, error) {
	b.shared = map[reflect.Type]*Schema{
		reflect.TypeFor[time.Time]():       {Type: "string", Format: "date-time"},
		reflect.TypeFor[json.RawMessage](): {}, // anything
	}
	for _, e := range b.entries {
		b.shared[e.Type] = Ref(e.Name)
	}
	made := map[string]*Schema{}
	var failed []error
	for _, e := range b.entries {
		if made[e.Name] != nil {
			failed = append(failed, fmt.Errorf("two entries are called %s", e.Name))
		}
		s, err := b.schema(e)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", e.Name, err))
		}
		if s != nil {
			made[e.Name] = s
		}
	}
	return made, errors.Join(failed...)
}

func (b *Book) schema(e Entry) (*Schema, error) {
	if e.Enum != nil {
		s := &Schema{Type: "string", Description: e.About}
		for _, v := range e.Enum {
			s.Enum = append(s.Enum, v)
		}
		return s, nil
	}
	others := maps.Clone(b.shared)
	delete(others, e.Type)
	s, err := jsonschema.ForType(e.Type, &jsonschema.ForOptions{TypeSchemas: others})
	if err != nil {
		return nil, fmt.Errorf("making the schema: %w", err)
	}
	s.Description = e.About
	wrong := describe(s, e.Fields)
	for name, p := range s.Properties {
		optional := !slices.Contains(s.Required, name)
		settle(p, optional && e.Taken, optional || isList(p))
	}
	if !e.Taken {
		s.AdditionalProperties = nil
	}
	if e.Refine != nil {
		e.Refine(s)
	}
	return s, wrong
}

func describe(s *Schema, fields map[string]string) error {
	var failed []error
	for name, p := range s.Properties {
		if p.Description = fields[name]; p.Description == "" {
			failed = append(failed, fmt.Errorf("nothing is said of the field %s", name))
		}
	}
	for name := range fields {
		if s.Properties[name] == nil {
			failed = append(failed, fmt.Errorf("there is no field %s", name))
		}
	}
	return errors.Join(failed...)
}

func isList(s *Schema) bool { return s.Type == "array" || slices.Contains(s.Types, "array") }

// settle decides whether p may be null: it may when nullable, it may not when
// never, and else as its type says.
func settle(p *Schema, nullable, never bool) {
	isNull := slices.Contains(p.Types, "null")
	types := slices.DeleteFunc(slices.Clone(p.Types), func(t string) bool { return t == "null" })
	if p.Type != "" {
		types = []string{p.Type}
	}
	p.Type, p.Types = "", nil
	switch null := nullable || isNull && !never; {
	case null && p.Ref != "":
		p.AnyOf = []*Schema{{Ref: p.Ref}, {Type: "null"}}
		p.Ref = ""
	case null && len(types) > 0:
		p.Types = append(types, "null")
	case len(types) == 1:
		p.Type = types[0]
	case len(types) > 1:
		p.Types = types
	}
	if p.Items != nil { // of lists in what is given and taken: never null
		settle(p.Items, false, true)
	}
}

// Between bounds a number.
func Between(s *Schema, least, most float64) { s.Minimum, s.Maximum = &least, &most }

// AtLeast bounds a number from below.
func AtLeast(s *Schema, least float64) { s.Minimum = &least }

// Lengths bounds a text, in characters.
func Lengths(s *Schema, least, most int) { s.MinLength, s.MaxLength = &least, &most }

// Items bounds a list.
func Items(s *Schema, least, most int) { s.MinItems, s.MaxItems = &least, &most }
