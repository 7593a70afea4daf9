package mcpapi

import (
	"context"
	"fmt"
	"runtime/debug"

	"weir/internal/rag"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type (
	userKey struct{}
	lifeKey struct{}
)

// withCaller gives a context's calls their user and their end: ctx's own. It
// goes as values, which are all that the SDK passes on.
func withCaller(ctx context.Context, user rag.User) context.Context {
	return context.WithValue(context.WithValue(ctx, userKey{}, user), lifeKey{}, ctx)
}

// userOf is "" where nobody said, which the service refuses.
func userOf(ctx context.Context) rag.User {
	user, _ := ctx.Value(userKey{}).(rag.User)
	return user
}

// around is around every call: it ends with its caller, has an operation id, and
// survives a panic.
func (d *Door) around(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (res mcp.Result, err error) { //nolint:contextcheck // life is the caller's own
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		if life, ok := ctx.Value(lifeKey{}).(context.Context); ok {
			stop := context.AfterFunc(life, func() { cancel(context.Cause(life)) }) //nolint:contextcheck // that is what it is for
			defer stop()
		}
		if rag.Operation(ctx) == "" { // else the door in front has one
			ctx, _ = rag.WithOperation(ctx)
		}
		defer func() {
			if p := recover(); p != nil {
				res, err = nil, d.protocolError(ctx, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			}
		}()
		switch method {
		case "resources/list":
			return d.listResources(ctx, req)
		case "subscriptions/listen": // nothing changes that could be told, and the call would never end
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "there is nothing to subscribe to"}
		}
		return next(ctx, method, req)
	}
}
