package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/internal/rag"
)

// candidate is a document to be ingested.
type candidate struct {
	Path string // as the user knows it; "-" for standard input
	Name string // the filename it is stored under
	size int64  // -1: not known before it is read
}

// shown is the document's path for people.
func (d candidate) shown() string { return shownPath(d.Path, d.Name) }

// shownPath is a path for people, who know standard input by the name that
// they gave it.
func shownPath(path, name string) string {
	if path == "-" {
		return printable(name) + " (standard input)"
	}
	return printable(path)
}

// skipped is a file in a given folder that is left out, and why.
type skipped struct {
	Path string `json:"path"`
	Why  string `json:"reason"`
}

// collect lists the documents in the given files and folders. What is given
// by name is taken whatever it is called, for the reader goes by content; in a
// folder only kinds that are read are taken, and nothing hidden. A file is
// stored under its base name, one in a folder under its path below the folder.
func collect(ctx context.Context, paths []string, stdinName, dataDir string) (docs []candidate, left []skipped, err error) {
	data, _ := os.Stat(dataDir) // nil when there is none yet, which is the same as no file
	for _, path := range paths {
		if path == "-" {
			docs = append(docs, candidate{Path: "-", Name: stdinName, size: -1})
			continue
		}
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil, rag.Errorf(rag.NotFound, "there is no file or folder %s", path)
		case err != nil:
			return nil, nil, err
		case info.Mode().IsRegular():
			docs = append(docs, candidate{path, info.Name(), info.Size()})
		case info.IsDir():
			d, l, err := collectFolder(ctx, path, data)
			if err != nil {
				return nil, nil, err
			}
			docs, left = append(docs, d...), append(left, l...)
		default:
			return nil, nil, fmt.Errorf("%s is neither a file nor a folder; to read from a pipe, give - and --name", path)
		}
	}
	return docs, left, nil
}

func collectFolder(ctx context.Context, root string, data fs.FileInfo) (docs []candidate, left []skipped, err error) {
	// WalkDir does not enter a root that is a link.
	if r, err := filepath.EvalSymlinks(root); err == nil && r != root {
		docs, left, err = collectFolder(ctx, r, data)
		for i := range docs {
			docs[i].Path = filepath.Join(root, docs[i].Name)
		}
		return docs, left, err
	}
	skip := func(path, why string) { left = append(left, skipped{path, why}) }
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if path == root {
			return err
		}
		if err != nil {
			skip(path, "cannot be read: "+cause(err))
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := os.Stat(path) // of what a link points to
		switch {
		case strings.HasPrefix(d.Name(), "."):
			skip(path, "is hidden")
		case err != nil:
			skip(path, "cannot be read: "+cause(err))
		case info.IsDir() && data != nil && os.SameFile(info, data):
			skip(path, "is Weir's data folder")
		case d.IsDir():
			return nil
		case info.IsDir():
			skip(path, "is a link to a folder")
		case !info.Mode().IsRegular():
			skip(path, "is no regular file")
		case !readable(path):
			skip(path, "is of no kind that is read ("+strings.Join(kinds(), " ")+")")
		default:
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			docs = append(docs, candidate{path, filepath.ToSlash(name), info.Size()})
			return nil
		}
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	return docs, left, err
}

// kinds are the endings of files that are taken from a folder.
func kinds() []string {
	return []string{".pdf", ".docx", ".html", ".htm", ".xhtml", ".md", ".markdown", ".txt", ".text"}
}

func readable(path string) bool {
	return slices.Contains(kinds(), strings.ToLower(filepath.Ext(path)))
}

// cause is an error without the operation and the path, which the line it
// goes into names.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// sameNames refuses documents that would replace each other.
func sameNames(docs []candidate) error {
	seen := map[string]string{}
	for _, d := range docs {
		if before, ok := seen[d.Name]; ok && before != d.Path {
			return usagef("%s and %s would both be stored as %s, the second in place of the first; ingest the folder they are in, or give --keep", before, d.Path, d.Name)
		}
		seen[d.Name] = d.Path
	}
	return nil
}

// read returns the document's bytes, or says that it is too large without
// reading more than the limit.
func (d candidate) read(ctx context.Context, stdin io.Reader, limit int64) ([]byte, error) {
	if d.size > limit {
		return nil, &rag.Error{Code: rag.TooLarge, Msg: fmt.Sprintf("is %s; the limit is %s (WEIR_MAX_FILE_BYTES)", size(d.size), size(limit))}
	}
	var (
		content []byte
		err     error
	)
	if d.Path == "-" {
		content, err = readPatiently(ctx, stdin, limit+1)
	} else {
		content, err = readStart(d.Path, limit+1)
	}
	switch {
	case err != nil:
		return nil, rag.Errorf(rag.Invalid, "cannot be read: %s", cause(err))
	case int64(len(content)) > limit:
		return nil, &rag.Error{Code: rag.TooLarge, Msg: fmt.Sprintf("is larger than the limit of %s (WEIR_MAX_FILE_BYTES)", size(limit))}
	case len(content) == 0:
		return nil, rag.Errorf(rag.Invalid, "is empty (0 bytes)")
	}
	return content, nil
}

// readStart reads at most n bytes of a file.
func readStart(path string, n int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return io.ReadAll(io.LimitReader(f, n))
}

// diskPatience is how long a disk may take to give a file of which a few bytes are wanted.
const diskPatience = 5 * time.Second

// fromDisk reads a file of whose disk nobody knows whether it answers, as those that
// are mounted from elsewhere may hang. The read itself cannot be stopped: what is late is left.
func fromDisk[T any](ctx context.Context, path string, read func(path string) (T, error)) (T, error) {
	type outcome struct {
		content T
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		content, err := read(path)
		done <- outcome{content, err}
	}()
	late := time.NewTimer(diskPatience)
	defer late.Stop()
	var none T
	select {
	case o := <-done:
		return o.content, o.err
	case <-late.C:
		return none, rag.Errorf(rag.Unavailable, "%s could not be read in time; its disk does not answer", path)
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// readPatiently reads at most n bytes from a stream that may never end. When
// ctx ends it leaves; the read itself cannot be stopped and ends with the
// stream or the process.
func readPatiently(ctx context.Context, r io.Reader, n int64) ([]byte, error) {
	type outcome struct {
		content []byte
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		content, err := io.ReadAll(io.LimitReader(r, n))
		done <- outcome{content, err}
	}()
	select {
	case o := <-done:
		return o.content, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
