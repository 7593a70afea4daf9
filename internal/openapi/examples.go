package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// prepare resolves the schemas of op, and holds its examples against them.
func (c *Checker) prepare(op *Operation) error {
	var failed []error
	look := func(where string, m map[string]*Media) {
		for _, kind := range slices.Sorted(maps.Keys(m)) {
			if err := c.media(m[kind]); err != nil {
				failed = append(failed, fmt.Errorf("%s, %s: %w", where, kind, err))
			}
		}
	}
	if op.Body != nil {
		for _, m := range op.Body.Content {
			closeObjects(m.Schema)
		}
		look("request", op.Body.Content)
	}
	for status, r := range op.Responses {
		if r = c.response(r); r == nil {
			failed = append(failed, fmt.Errorf("%s: the reference leads nowhere", status))
			continue
		}
		for _, m := range r.Content {
			closeObjects(m.Schema)
		}
		look(status, r.Content)
	}
	return errors.Join(failed...)
}

func (c *Checker) media(m *Media) error {
	for name, s := range m.Events {
		if _, err := c.resolve(s); err != nil {
			return fmt.Errorf("event %s: %w", name, err)
		}
	}
	if m.Schema == nil {
		return nil
	}
	if _, err := c.resolve(m.Schema); err != nil {
		return err
	}
	for name, e := range m.Examples {
		b, err := json.Marshal(e.Value)
		if err != nil {
			return fmt.Errorf("example %s: %w", name, err)
		}
		if err := c.value(m.Schema, b); err != nil {
			return fmt.Errorf("example %s: %w", name, err)
		}
	}
	return nil
}

// closeObjects lets the objects of s have no members but those it names.
func closeObjects(s *Schema) {
	if s == nil {
		return
	}
	if s.Type == "object" && s.Properties != nil && s.AdditionalProperties == nil {
		s.AdditionalProperties = &Schema{Not: &Schema{}}
	}
	for _, p := range s.Properties {
		closeObjects(p)
	}
	closeObjects(s.Items)
	for _, alternatives := range [][]*Schema{s.AnyOf, s.OneOf} {
		for _, p := range alternatives {
			closeObjects(p)
		}
	}
}
