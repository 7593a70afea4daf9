package rag

import (
	"math"
	"slices"
	"unicode/utf8"
)

// What a store refuses, whichever it is. A Service never asks for any of it.

const (
	maxModelName  = 1024 // bytes
	maxStoredPage = 1000 // documents of one page of a list; what a caller may ask for is MaxPage
	// unitTolerance is how far a unit vector's squared length may be from 1.
	unitTolerance = 1e-2
)

// Check returns an Invalid error for a model that cannot be.
func (m Model) Check() error {
	switch {
	case m.Name == "" || len(m.Name) > maxModelName || !utf8.ValidString(m.Name):
		return FieldErrorf("model", "needs a name of at most %d bytes", maxModelName)
	case m.Dim < 1 || m.Dim > MaxDimensions:
		return FieldErrorf("model", "has %d dimensions; from 1 to %d are possible", m.Dim, MaxDimensions)
	}
	return nil
}

// CheckVectors returns an Invalid error unless there is, for each of some
// passages, a vector of unit length of the model.
func (m Model) CheckVectors(indexes []int, vectors [][]float32) error {
	if err := m.Check(); err != nil {
		return err
	}
	if len(indexes) != len(vectors) {
		return FieldErrorf("vectors", "%d vectors for %d passages", len(vectors), len(indexes))
	}
	for _, v := range vectors {
		if err := m.checkVector(v); err != nil {
			return err
		}
	}
	return nil
}

func (m Model) checkVector(v []float32) error {
	if len(v) != m.Dim {
		return FieldErrorf("vectors", "a vector of %d values for a model of %d", len(v), m.Dim)
	}
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if !(math.Abs(sum-1) <= unitTolerance) { // catches NaN too
		return FieldErrorf("vectors", "a vector is not of unit length")
	}
	return nil
}

// Check returns an Invalid error for a search that cannot be.
func (q Query) Check() error {
	if q.Limit < 1 {
		return FieldErrorf("limit", "must be positive, not %d", q.Limit)
	}
	if q.Vector == nil {
		return nil
	}
	if err := q.Model.Check(); err != nil {
		return err
	}
	return q.Model.checkVector(q.Vector)
}

// Check returns an Invalid error for an upload that cannot be stored.
func (n NewDocument) Check() error {
	switch {
	case n.Filename == "":
		return FieldErrorf("filename", "must not be empty")
	case len(n.Filename) > MaxFilenameBytes:
		return FieldErrorf("filename", "is %d bytes long; the limit is %d", len(n.Filename), MaxFilenameBytes)
	case !utf8.ValidString(n.Filename):
		return FieldErrorf("filename", "is not valid UTF-8")
	case !isSHA256(n.SHA256):
		return FieldErrorf("sha256", "must be 64 hexadecimal digits")
	}
	return nil
}

// isSHA256 reports 64 lower-case hexadecimal digits.
func isSHA256(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 64
}

// Check returns an Invalid error for a page that cannot be.
func (p Page) Check() error {
	switch {
	case p.Limit < 1 || p.Limit > maxStoredPage:
		return FieldErrorf("limit", "must be from 1 to %d, not %d", maxStoredPage, p.Limit)
	case p.Status != "" && !slices.Contains(statuses(), p.Status):
		return FieldErrorf("status", "is not a status: %q", string(p.Status))
	}
	return nil
}

func statuses() []Status { return []Status{Queued, Parsing, Embedding, Ready, Failed, Cancelled} }
