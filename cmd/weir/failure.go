package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"weir/internal/rag"

	"github.com/spf13/cobra"
)

// failure is an error as programs get it, from a command with --json.
type failure struct {
	Code         rag.Code `json:"code"`
	Message      string   `json:"message"`
	Field        string   `json:"field,omitempty"`
	Phase        string   `json:"phase,omitempty"`
	RetryAfterMS int64    `json:"retry_after_ms,omitempty"`
}

// codeOf is the code of any failure, also of what fails before there is a call: that
// is about what the command was given, as an argument or in its settings, unless the system
// says otherwise.
func codeOf(err error) rag.Code {
	var (
		told   *rag.Error
		system syscall.Errno
	)
	switch {
	case errors.As(err, &told), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return rag.CodeOf(err)
	case errors.Is(err, fs.ErrNotExist):
		return rag.NotFound
	case errors.Is(err, fs.ErrPermission):
		return rag.Forbidden
	case errors.As(err, &system): // a disk that is full, a server that is not there
		return rag.Unavailable
	default:
		return rag.Invalid
	}
}

// forProgram reports whether a failure of cmd is to be told to a program. Where args were
// read to an error, the flag may stand behind it.
func forProgram(cmd *cobra.Command, args []string) bool {
	asked, none := cmd.Flags().GetBool("json")
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	return none == nil && (asked || slices.Contains(args, "--json") && !cmd.Flags().Changed("json"))
}

// tellProgram prints a line {"error": …} where a program reads the results.
func tellProgram(out io.Writer, err error) {
	f := failure{Code: codeOf(err), Message: explain(err)}
	var e *rag.Error
	if errors.As(err, &e) {
		f = failure{e.Code, f.Message, e.Field, e.Phase, e.RetryAfter.Milliseconds()}
	}
	_ = printJSONLine(out, map[string]failure{"error": f}) // out remembers a failure
}

// usageError is a wrong use of the program, such as an unknown flag or a
// setting that cannot be.
type usageError string

func (e usageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// errReported ends a command as failed when what failed has been printed.
var errReported = errors.New("reported already")

// explain is an error in words for the one who sits at the terminal, who may
// see causes that a caller over HTTP may not.
func explain(err error) string {
	var e *rag.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e.Err != nil && !strings.Contains(e.Msg, e.Err.Error()) && (e.Code == rag.Internal || e.Code == rag.Unavailable) {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}
