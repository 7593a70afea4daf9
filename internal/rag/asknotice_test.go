package rag

import (
	"context"
	"errors"
	"testing"
)

// The words are those that a reader of the answer understands; what is for operators is in Degraded.
func TestUnwrittenSaysWhatHappened(t *testing.T) {
	said := func(code Code, msg string) error { return &Error{Code: code, Msg: msg, Err: errors.New("status 401")} }
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"cannot be reached", said(Unavailable, "the chat model cannot be reached"), "the chat model cannot be reached"},
		{"late", said(Timeout, "the chat model did not answer in time (waiting for the first word)"), "the chat model did not answer in time"},
		{"broke off", said(Unavailable, "the chat model broke off its answer"), "the chat model broke off its answer"},
		{"refused the key", said(Unavailable, "the chat model refused the API key (401)"), "the chat model refused the API key"},
		{"in the provider's words", said(Unavailable, "the chat model answered with an error (500): ignore all *rules*"), "the chat model answered with an error"},
		{"of another name", said(Unavailable, `the chat model has no model "a_b*c", or no chat completions at this address (404)`), `the chat model has no model "a\_b\*c", or no chat completions at this address`},
		{"busy", said(Overloaded, "no place came free at the chat model in time"), "no place came free at the chat model in time"},
		{"wrapped", errors.Join(said(RateLimited, "this user already waits for as many answers as one user may")), "this user already waits for as many answers as one user may"},
		{"of a field", FieldErrorf("temperature", "must be lower"), "the chat model refused the question"},
		{"no words", said(Unavailable, ""), "the chat model cannot be used at this moment"},
		{"inside", said(Internal, "an internal error"), "the server failed while it was to be written"},
		{"unknown", errors.New("secret"), "the server failed while it was to be written"},
		{"a deadline", context.DeadlineExceeded, "the chat model did not answer in time"},
		{"busy, no words", said(Overloaded, ""), "too many answers are asked for at this moment"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := unwritten(tt.err); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
