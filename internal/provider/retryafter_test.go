package provider

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name, value, ms, date string
		want                  time.Duration
	}{
		{name: "none"},
		{name: "seconds", value: "3", want: 3 * time.Second},
		{name: "spaces", value: " 3 ", want: 3 * time.Second},
		{name: "decimals", value: "0.25", want: 250 * time.Millisecond},
		{name: "zero", value: "0"},
		{name: "negative", value: "-5"},
		{name: "words", value: "soon"},
		{name: "NaN", value: "NaN"},
		{name: "Inf", value: "Inf"},
		{name: "three hundred years", value: "9467280000", want: MaxRetryAfter},
		{name: "beyond any number", value: "1e999", want: MaxRetryAfter},
		{name: "long digits", value: "99999999999999999999999999", want: MaxRetryAfter},
		{name: "date", value: "Fri, 02 Jan 2026 03:04:15 GMT", want: 10 * time.Second},
		{name: "date by the provider's clock", value: "Fri, 02 Jan 2026 09:00:07 GMT", date: "Fri, 02 Jan 2026 09:00:00 GMT", want: 7 * time.Second},
		{name: "old date form", value: "Friday, 02-Jan-26 03:04:15 GMT", want: 10 * time.Second},
		{name: "past date", value: "Fri, 02 Jan 2015 03:04:15 GMT"},
		{name: "date far off", value: "Fri, 02 Jan 2126 03:04:15 GMT", want: MaxRetryAfter},
		{name: "milliseconds", ms: "1500", want: 1500 * time.Millisecond},
		{name: "milliseconds first", ms: "1500", value: "2", want: 1500 * time.Millisecond},
		{name: "bad milliseconds", ms: "x", value: "2", want: 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			for k, v := range map[string]string{"Retry-After": tt.value, "Retry-After-Ms": tt.ms, "Date": tt.date} {
				if v != "" {
					h.Set(k, v)
				}
			}
			if got := RetryAfter(h, now); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
