package sqlite

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

const phase = "store"

func errClosed() error {
	return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: "the store is closed"}
}

// fail turns any error into what the caller is told. A ctx that has ended is
// the reason for whatever interruption was seen.
func (s *Store) fail(ctx context.Context, doing string, err error) error {
	return explain(ctx, s.cfg.Dir, doing, err)
}

func explain(ctx context.Context, dir, doing string, err error) error {
	var told *rag.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told), errors.Is(err, rag.ErrLeaseLost), errors.Is(err, rag.ErrMoveLost):
		return err
	case ctx.Err() != nil && (errors.Is(err, sqlite3.INTERRUPT) || errors.Is(err, sqlite3.BUSY) || errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
		if cause := context.Cause(ctx); cause != ctx.Err() { //nolint:errorlint // the very same value means that there is no other cause
			return fmt.Errorf("%s: %w: %w", doing, ctx.Err(), cause)
		}
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	code, msg := judge(dir, err)
	return &rag.Error{Code: code, Phase: phase, Msg: doing + ": " + msg, Err: err}
}

// judge says what an error of SQLite means to an operator.
func judge(dir string, err error) (rag.Code, string) {
	for _, j := range []struct {
		is   []error
		code rag.Code
		msg  string
	}{
		{[]error{sqlite3.FULL, syscall.ENOSPC, syscall.EDQUOT}, rag.Unavailable, "the disk that holds " + dir + " is full"},
		{[]error{sqlite3.BUSY, sqlite3.LOCKED}, rag.Unavailable, "another process has locked the database in " + dir},
		{
			[]error{sqlite3.READONLY, sqlite3.PERM, sqlite3.AUTH, syscall.EACCES, syscall.EPERM, syscall.EROFS},
			rag.Unavailable, dir + " cannot be written to",
		},
		{[]error{sqlite3.CORRUPT}, rag.Internal, fileName + " in " + dir + " is damaged; restore it from a copy, or remove it and ingest the documents again"},
		{[]error{sqlite3.NOTADB}, rag.Internal, fileName + " in " + dir + " is not a database of Weir"},
		{[]error{sqlite3.CANTOPEN}, rag.Unavailable, "the database in " + dir + " cannot be opened"},
		{[]error{sqlite3.IOERR}, rag.Unavailable, "the disk that holds " + dir + " does not work as it should"},
		{[]error{sqlite3.TOOBIG}, rag.TooLarge, "larger than the database can hold"},
	} {
		for _, target := range j.is {
			if errors.Is(err, target) {
				return j.code, j.msg
			}
		}
	}
	return rag.Internal, "the store failed"
}
