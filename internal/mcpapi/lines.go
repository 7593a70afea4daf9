package mcpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// lines is standard input with nothing in it but messages. The SDK ends the
// conversation at the first line that is none; here the line is answered with an
// error of JSON-RPC and the conversation goes on.
type lines struct {
	from io.ReadCloser
	in   *bufio.Reader
	out  io.Writer
	left []byte // of the line that is being read
}

func newLines(in io.ReadCloser, out io.Writer) *lines {
	return &lines{from: in, in: bufio.NewReaderSize(in, 64<<10), out: out}
}

func (l *lines) Read(p []byte) (int, error) {
	for len(l.left) == 0 {
		line, long, err := l.next()
		if err != nil && len(line) == 0 {
			return 0, err //nolint:wrapcheck // io.EOF must stay itself
		}
		switch {
		case long:
			err = l.refuse(nil, jsonrpc.CodeInvalidRequest, "the message is longer than 8 MiB")
		case len(line) == 0:
		case !json.Valid(line): // which also bounds how deep it is nested
			err = l.refuse(nil, jsonrpc.CodeParseError, "the line is not valid JSON")
		case line[0] != '{':
			err = l.refuse(nil, jsonrpc.CodeInvalidRequest, "the line must be one JSON-RPC message, not a batch")
		default:
			if _, bad := jsonrpc.DecodeMessage(line); bad != nil || !isID(idOf(line)) || !saysAnything(line) {
				err = l.refuse(idOf(line), jsonrpc.CodeInvalidRequest, "the line is not a JSON-RPC message")
				break
			}
			l.left, err = append(line, '\n'), nil
		}
		if err != nil && !errors.Is(err, io.EOF) { // the end comes again at the next look
			return 0, err
		}
	}
	n := copy(p, l.left)
	l.left = l.left[n:]
	return n, nil
}

// next is the next line without the space around it. Of one that is too long
// nothing is kept.
func (l *lines) next() (line []byte, long bool, err error) {
	for {
		part, err := l.in.ReadSlice('\n')
		if long = long || len(line)+len(part) > MaxMessageBytes; long {
			line = line[:0]
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case long:
			return []byte{'.'}, true, err
		default:
			return bytes.TrimSpace(line), false, err
		}
	}
}

func (l *lines) Close() error { return l.from.Close() }

func (l *lines) refuse(id json.RawMessage, code int, message string) error {
	_, err := l.out.Write(append(rpcError(id, code, message), '\n'))
	return err //nolint:wrapcheck // of standard output
}

// idOf is the id of a message that may be wrong otherwise; nil without one.
func idOf(message []byte) json.RawMessage {
	var m struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(message, &m) != nil || len(m.ID) == 0 || !strings.ContainsRune(`"-0123456789`, rune(m.ID[0])) {
		return nil
	}
	return m.ID
}

// saysAnything reports whether message asks or answers. The SDK takes one that
// does neither, such as with "Method" for "method", for an answer, and who sent
// it would wait.
func saysAnything(message []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(message, &members) != nil {
		return false
	}
	for _, name := range []string{"method", "result", "error"} {
		if _, ok := members[name]; ok {
			return true
		}
	}
	return false
}

// whole lets one Write through at a time. Each is a whole line.
type whole struct {
	mu sync.Mutex
	to io.Writer
}

func (w *whole) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p) //nolint:wrapcheck // of standard output
}

// Close leaves standard output open.
func (*whole) Close() error { return nil }
