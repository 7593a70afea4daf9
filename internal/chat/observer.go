package chat

import (
	"time"

	"weir/internal/rag"
)

// Observer is told what ended, for metrics. It is called without any lock
// held, by many goroutines at a time, and must not block: the caller waits for
// it.
type Observer interface {
	ChatAttemptEnded(AttemptEnd)
	ChatEnded(End)
}

// AttemptEnd is how one attempt at the provider ended.
type AttemptEnd struct {
	Try        int           // 1: the first of its call
	FirstToken time.Duration // until the first word; 0: there was none
	Took       time.Duration
	Code       rag.Code // "": answered whole
	Phase      string   // where it failed; "": answered
}

// End is how one call of Chat ended.
type End struct {
	Attempts     int
	Waited       time.Duration // for its first place
	FirstToken   time.Duration // until the first word was there; 0: there was none
	Took         time.Duration
	FinishReason string   // of an answer that is whole
	Code         rag.Code // "": answered whole; canceled: the caller left
	Phase        string   // of the error; "": answered
}
