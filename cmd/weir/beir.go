package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"weir/internal/rag"
)

// collection is a collection in the layout of BEIR
// (https://github.com/beir-cellar/beir): corpus.jsonl with _id, title and
// text, queries.jsonl with _id and text, qrels/SPLIT.tsv with a head line and
// query-id, corpus-id, score.
type collection struct {
	docs       []corpusDoc
	queries    []corpusQuery
	judgements map[string]map[string]int // query, document, relevance
}

type corpusDoc struct {
	ID    string `json:"_id"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

type corpusQuery struct {
	ID   string `json:"_id"`
	Text string `json:"text"`
}

// markdown is the document as it is indexed, its title as the heading; empty
// when it has no text.
func (d corpusDoc) markdown() string {
	title, text := strings.Join(strings.Fields(d.Title), " "), strings.TrimSpace(d.Text)
	switch {
	case title == "":
		return text
	case text == "":
		return title
	default:
		return "# " + title + "\n\n" + text + "\n"
	}
}

func readCollection(folder, split string) (*collection, error) {
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, rag.Errorf(rag.NotFound, "there is no collection %s", folder)
	case err != nil:
		return nil, fmt.Errorf("the collection cannot be looked at: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("%s is no folder; give the one with corpus.jsonl, queries.jsonl and qrels/ in it", folder)
	}
	c := &collection{judgements: map[string]map[string]int{}}
	c.docs, err = readLines(filepath.Join(folder, "corpus.jsonl"), func(d corpusDoc) string { return d.ID })
	if err != nil {
		return nil, err
	}
	c.queries, err = readLines(filepath.Join(folder, "queries.jsonl"), func(q corpusQuery) string { return q.ID })
	if err != nil {
		return nil, err
	}
	if err := c.readJudgements(filepath.Join(folder, "qrels", split+".tsv")); err != nil {
		return nil, err
	}
	for _, q := range c.queries {
		if anyRelevant(c.judgements[q.ID]) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%s judges no query of queries.jsonl relevant to anything", filepath.Join(folder, "qrels", split+".tsv"))
}

// maxLine is the longest line of a collection's files.
const maxLine = 64 << 20

// readLines reads a file of JSON lines whose ids are all there and all
// different.
func readLines[T any](path string, id func(T) string) ([]T, error) {
	var (
		all  []T
		seen = map[string]bool{}
	)
	err := eachLine(path, func(n int, line []byte) error {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return fmt.Errorf("%s:%d: is no JSON object of the layout: %w", path, n, err)
		}
		switch i := id(v); {
		case i == "":
			return fmt.Errorf("%s:%d: has no _id", path, n)
		case seen[i]:
			return fmt.Errorf("%s:%d: the _id %q is there twice", path, n, i)
		default:
			seen[i] = true
		}
		all = append(all, v)
		return nil
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s is empty", path)
	}
	return all, err
}

func (c *collection) readJudgements(path string) error {
	return eachLine(path, func(n int, line []byte) error {
		fields := strings.Split(strings.TrimRight(string(line), "\r"), "\t")
		if len(fields) != 3 {
			return fmt.Errorf("%s:%d: must be query-id, corpus-id and score, with tabs between", path, n)
		}
		rel, err := strconv.Atoi(fields[2])
		if err != nil {
			if n == 1 {
				return nil // the head line
			}
			return fmt.Errorf("%s:%d: the score must be a whole number, not %q", path, n, fields[2])
		}
		if c.judgements[fields[0]] == nil {
			c.judgements[fields[0]] = map[string]int{}
		}
		c.judgements[fields[0]][fields[1]] = rel
		return nil
	})
}

// eachLine calls f with each line that is not empty and its number.
func eachLine(path string, f func(n int, line []byte) error) error {
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return rag.Errorf(rag.NotFound, "there is no %s", path)
		}
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	s := bufio.NewScanner(file)
	s.Buffer(nil, maxLine)
	n := 0
	for s.Scan() {
		n++
		if strings.TrimSpace(string(s.Bytes())) == "" {
			continue
		}
		if err := f(n, s.Bytes()); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", path, n+1, err)
	}
	return nil
}
