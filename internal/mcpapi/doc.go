// Package mcpapi is the door for agents: the Model Context Protocol, over
// streamable HTTP and on standard input and output.
//
// # Goals
//
//   - An agent gets the same answers, deadlines and refusals as any other caller.
//   - What goes wrong in a tool is the tool's answer, with a code and a message
//     that an agent can act on; the conversation goes on.
//   - No call outlives its caller, and no message is larger than its bound.
//
// # Design
//
// The protocol is the official SDK's. Over HTTP it runs without sessions: each
// POST is one message with one JSON answer, so that there is nothing to keep, to
// steal or to clean up between two calls, and any server behind a balancer can
// answer. Nothing is ever sent to a client that did not ask.
//
// The SDK hands its handlers a context without a deadline, which does not end
// when the HTTP client leaves; and it waits for the handlers before it lets go
// of the request. So every call is tied to the request that brought it
// (caller.go). The deadline is that of rag.Service, as for every door. The SDK
// runs handlers in goroutines of its own, where a panic would end the process;
// it is caught there.
//
// The user comes from whoever mounts the door, once per request or per
// process; no tool has an argument for it.
package mcpapi
