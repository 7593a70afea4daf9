package provider

import (
	"testing"
	"time"
)

// TestAnAnswerDoesNotOpenTheBreaker: by then there may be outcomes enough, and
// most of them bad; but the provider is well again.
func TestAnAnswerDoesNotOpenTheBreaker(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		said string // of each outcome: good, bad, slow
		want State
	}{
		{"five bad ones and three good ones", "bbbbbggg", Closed},
		{"the fourth of four is good", "bbbg", Closed},
		{"and then a bad one", "bbbbbgggb", Opened},
		{"the last of the least is bad", "gggbbbbb", Opened},
		{"slow ones", "ssssssss", Opened},
		{"slow ones, and the last is bad", "sssssssb", Opened},
		{"slow ones, and the last is not", "sssssssg", Closed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			least := 8
			if len(tt.said) < least {
				least = len(tt.said)
			}
			b := Breaker{OpenFor: time.Second, Least: least, Age: time.Minute}
			for _, o := range tt.said {
				b.Note(now, o != 'b', o == 's')
			}
			if b.State != tt.want {
				t.Errorf("after %s it is %s", tt.said, b.State)
			}
		})
	}
}
