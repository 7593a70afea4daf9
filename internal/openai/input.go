package openai

import "fmt"

// What "input" may be.
const inputForms = "it must be a string, a list of strings, a list of tokens or a list of lists of tokens"

// input passes the texts of a request in any of their four forms: a string, a
// list of strings, a list of token ids, which is one text, and a list of such
// lists. The first element says which form a list has.
func (s *scanner) input(r *EmbeddingsRequest, limit Limits) error {
	switch s.next() {
	case '"':
		t, err := s.text()
		r.Input = []string{t}
		return err
	case '[':
		return s.inputs(r, limit)
	default:
		if s.word("null") {
			return nil // as if it were not there
		}
		if _, err := s.skip(); err != nil {
			return err
		}
		return refuse("input", inputForms)
	}
}

func (s *scanner) inputs(r *EmbeddingsRequest, limit Limits) error {
	t := tokens{limit: limit.Tokens}
	var flat []int
	err := s.array(func(n int) error {
		switch c := s.next(); {
		case c == '"' && flat == nil && r.Tokens == nil:
			if n == limit.Items {
				return tooMany(limit)
			}
			v, err := s.text()
			r.Input = append(r.Input, v)
			return err
		case c == '[' && flat == nil && r.Input == nil:
			if n == limit.Items {
				return tooMany(limit)
			}
			ids := []int{}
			err := s.array(func(int) error { return t.read(s, fmt.Sprintf("input[%d]", n), &ids) })
			r.Tokens = append(r.Tokens, ids)
			return err
		case (c == '-' || c >= '0' && c <= '9') && r.Input == nil && r.Tokens == nil:
			return t.read(s, "input", &flat)
		}
		if _, err := s.skip(); err != nil {
			return err
		}
		if n == 0 {
			return refuse("input", inputForms)
		}
		return refuse(fmt.Sprintf("input[%d]", n), "it is of another kind than the elements before it")
	})
	switch {
	case err != nil:
		return err
	case flat != nil:
		r.Tokens = [][]int{flat}
	case r.Input == nil && r.Tokens == nil:
		return refuse("input", "it is empty")
	}
	return nil
}

func tooMany(limit Limits) error {
	return refuse("input", "it may hold at most %d texts", limit.Items)
}

// tokens counts the ids of one request.
type tokens struct{ n, limit int }

// read passes one id.
func (t *tokens) read(s *scanner, param string, to *[]int) error {
	switch t.n++; {
	case t.limit == 0:
		return refuse("input", "lists of tokens are not read here; it must be a string or a list of strings")
	case t.n > t.limit:
		return refuse("input", "it may hold at most %d tokens", t.limit)
	}
	id, ok, err := s.whole()
	switch {
	case err != nil:
		return err
	case !ok || id < 0:
		return refuse(param, "value %d is not a token: a whole number from 0", len(*to))
	}
	*to = append(*to, id)
	return nil
}
