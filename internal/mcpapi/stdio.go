package mcpapi

import (
	"context"
	"errors"
	"io"

	"weir/internal/rag"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// ServeStdio answers the messages of one client, a line of JSON each, for user,
// until in ends or ctx does; both are a good end. It closes in, which may or
// may not wake a Read that is under way.
func (d *Door) ServeStdio(ctx context.Context, user rag.User, in io.ReadCloser, out io.Writer) error {
	to := &whole{to: out}
	// The limit is that of lines, with room for the line's end.
	err := d.server.Run(withCaller(ctx, ctx, user), &mcp.IOTransport{Reader: newLines(in, to), Writer: to, MaxLineLength: MaxMessageBytes + 2})
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
