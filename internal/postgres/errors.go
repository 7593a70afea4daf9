package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"weir/internal/rag"
)

const (
	phase = "store"
	// again is when a call may be tried again after the database could not be reached.
	again = time.Second
)

// Conditions of Postgres that are told apart, by SQLSTATE
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	queryCanceled        = "57014"
	uniqueViolation      = "23505"
	diskFull             = "53100"
	lockNotAvailable     = "55P03"
)

func errClosed() error {
	return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: "the store is closed"}
}

// explain turns any error into what the caller is told. A ctx that has ended
// is the reason for whatever interruption was seen.
func (d *database) explain(ctx context.Context, doing string, err error) error {
	var told *rag.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told), errors.Is(err, rag.ErrLeaseLost), errors.Is(err, rag.ErrMoveLost):
		return err
	case ctx.Err() != nil:
		return ended(ctx, doing)
	}
	code, msg, retry := judge(err)
	return &rag.Error{Code: code, Phase: phase, Msg: doing + ": " + msg, RetryAfter: retry, Err: d.scrub(err)}
}

func ended(ctx context.Context, doing string) error {
	e := &rag.Error{Code: rag.CodeOf(ctx.Err()), Phase: phase, Err: ctx.Err()}
	e.Msg = doing + ": the caller has left"
	if e.Code == rag.Timeout {
		e.Msg = doing + ": the time was over before the database had answered"
	}
	if cause := context.Cause(ctx); cause != ctx.Err() { //nolint:errorlint // the very same value means that there is no other cause
		e.Err = fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return e
}

// judge says what an error of Postgres means to an operator.
func judge(err error) (code rag.Code, msg string, retry time.Duration) {
	var told *pgconn.PgError
	if errors.As(err, &told) {
		return judgeState(told.Code, told.Message)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &connect) && timedOut(err), errors.Is(err, context.DeadlineExceeded):
		return rag.Unavailable, "the database does not answer", again
	case errors.As(err, &connect):
		return rag.Unavailable, "the database cannot be reached", again
	case errors.As(err, &network), lost(err):
		return rag.Unavailable, "the connection to the database broke", again
	}
	return rag.Internal, "the store failed", 0
}

func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

func judgeState(state, message string) (rag.Code, string, time.Duration) {
	for _, j := range []struct {
		prefix, containing string
		code               rag.Code
		msg                string
		retry              time.Duration
	}{
		{queryCanceled, "", rag.Timeout, "the database did not answer in time", 0},
		{"25P03", "", rag.Timeout, "the database ended a transaction that took too long", 0},
		{lockNotAvailable, "", rag.Timeout, "what is needed is locked in the database", again},
		{"25006", "", rag.Unavailable, "the database takes no writes (read-only or a standby)", again},
		{"53300", "", rag.Unavailable, "the database has no connection left", again},
		{diskFull, "", rag.Unavailable, "the disk of the database is full", again},
		{"53", "", rag.Unavailable, "the database has run out of something it needs", again},
		{"57P", "", rag.Unavailable, "the database is going down or coming up", again},
		{"58", "", rag.Unavailable, "the disk of the database does not work as it should", again},
		{"28", "", rag.Unavailable, "the database does not let this user in; look at name and password", 0},
		{"3D000", "", rag.Unavailable, "there is no such database", 0},
		{"42501", "", rag.Unavailable, "the database refuses this user what is needed", 0},
		{"42", "", rag.Unavailable, "the tables in the database are not those that this program knows", 0},
		{"3F", "", rag.Unavailable, "the tables in the database are not those that this program knows", 0},
		{"0A000", "cached plan", rag.Unavailable, "the tables in the database were changed", again},
		{"40", "", rag.Unavailable, "others changed the same at the same time", again},
		{"08", "", rag.Unavailable, "the connection to the database broke", again},
		{"XX00", "", rag.Internal, "the database is damaged; its log says more", 0},
		{"54", "", rag.TooLarge, "larger than the database can hold", 0},
	} {
		if strings.HasPrefix(state, j.prefix) && strings.Contains(message, j.containing) {
			return j.code, j.msg, j.retry
		}
	}
	return rag.Internal, "the store failed", 0
}

// stateOf returns the SQLSTATE of an error, "" for one that is not the server's.
func stateOf(err error) string {
	var told *pgconn.PgError
	if errors.As(err, &told) {
		return told.Code
	}
	return ""
}

// lost reports an error after which the connection is of no use.
func lost(err error) bool {
	var told *rag.Error
	if err == nil || errors.As(err, &told) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	if state := stateOf(err); state != "" {
		return strings.HasPrefix(state, "57P") || strings.HasPrefix(state, "08")
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "conn closed") // pgconn has no value for it
}

// scrubbed is an error whose text held a password.
type scrubbed struct{ text string }

func (e scrubbed) Error() string { return e.text }

// scrub keeps the password out of an error's text, whoever put it there.
func (d *database) scrub(err error) error {
	if err == nil {
		return nil
	}
	if text := d.mask(err.Error()); text != err.Error() {
		return scrubbed{text}
	}
	return err
}
