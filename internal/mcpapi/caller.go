package mcpapi

import (
	"context"
	"errors"
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

// withCaller gives the calls made with ctx their user and their end: life's. It
// goes as values, which are all that the SDK passes on.
func withCaller(ctx, life context.Context, user rag.User) context.Context {
	return context.WithValue(context.WithValue(ctx, userKey{}, user), lifeKey{}, life)
}

// present is ctx for as long as the caller is there, whatever its deadline: past that
// the SDK would go without the answer which says that it has passed.
func present(ctx context.Context) (context.Context, context.CancelFunc) {
	there, leave := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			leave(context.Cause(ctx))
		}
	})
	return there, func() { stop(); leave(nil) }
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
			if end, ok := life.Deadline(); ok {
				var done context.CancelFunc
				ctx, done = context.WithDeadline(ctx, end)
				defer done()
			}
			stop := context.AfterFunc(life, func() { //nolint:contextcheck // that is what it is for
				if errors.Is(life.Err(), context.Canceled) { // its deadline is ctx's too, and is no leaving
					cancel(context.Cause(life))
				}
			})
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
		if res, err = next(ctx, method, req); err != nil { // told by us, or refused by the SDK
			rag.AccountOf(ctx).Failed(rag.Invalid)
		}
		return res, err
	}
}
