package embed

import (
	"strings"
	"testing"
	"time"
)

func TestConfigRefused(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"scheme", Config{BaseURL: "ftp://x"}, "http://"},
		{"no scheme", Config{BaseURL: "localhost:11434/v1"}, "http://"},
		{"no host", Config{BaseURL: "http://"}, "no host"},
		{"not an address", Config{BaseURL: "http://%zz"}, "not an address"},
		{"password", Config{BaseURL: "http://u:hunter2@x/v1"}, "user or password"},
		{"fragment", Config{BaseURL: "http://x/v1#a"}, "fragment"},
		{"key with a line break", Config{APIKey: "hunter2\nhunter2"}, "characters that no key has"},
		{"negative", Config{MaxBatch: -1}, "MaxBatch must not be negative"},
		{"text over batch", Config{MaxTextBytes: 2, MaxBatchBytes: 1}, "MaxTextBytes (2)"},
		{"backoff", Config{Backoff: time.Minute}, "MaxBackoff"},
		{"dial over attempt", Config{AttemptTimeout: time.Second}, "must fit AttemptTimeout"},
		{"answer too short", Config{MaxResponseBytes: 1 << 20}, "MaxResponseBytes"},
		{"dimensions", Config{Dimensions: 1 << 20}, "Dimensions"},
		{"batch", Config{MaxBatch: 1 << 30}, "MaxBatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret in %q", err)
			}
		})
	}
}

func TestConfigDefaults(t *testing.T) {
	tests := []struct {
		name     string
		cfg      Config
		endpoint string
		dim      int
		asks     bool // for a number of values
	}{
		{"nothing set", Config{}, "https://api.openai.com/v1/embeddings", 1536, false},
		{"its own number", Config{Dimensions: 1536}, "https://api.openai.com/v1/embeddings", 1536, false},
		{"another number", Config{Dimensions: 256}, "https://api.openai.com/v1/embeddings", 256, true},
		{"a model that takes none", Config{Model: "text-embedding-ada-002", Dimensions: 256}, "https://api.openai.com/v1/embeddings", 256, false},
		{"a known one", Config{Model: "nomic-embed-text:v1.5", BaseURL: "http://127.0.0.1:11434/v1/"}, "http://127.0.0.1:11434/v1/embeddings", 768, false},
		{"with its maker", Config{Model: "BAAI/bge-m3"}, "https://api.openai.com/v1/embeddings", 1024, false},
		{"an unknown one", Config{Model: "x"}, "https://api.openai.com/v1/embeddings", 1536, false},
		{"an unknown one of 100", Config{Model: "x", Dimensions: 100, BaseURL: "http://h/v1?api-version=1"}, "http://h/v1/embeddings?api-version=1", 100, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := newClient(tt.cfg, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.endpoint != tt.endpoint || c.Model().Dim != tt.dim || c.wantDim != tt.asks {
				t.Errorf("%s %d %t, want %s %d %t", c.endpoint, c.Model().Dim, c.wantDim, tt.endpoint, tt.dim, tt.asks)
			}
		})
	}
}

func TestBackoffBounds(t *testing.T) {
	c := Config{Backoff: 100 * time.Millisecond, MaxBackoff: time.Second}.WithDefaults()
	tests := []struct {
		name     string
		next     int
		after    time.Duration
		min, max time.Duration
	}{
		{"second try", 2, 0, 50 * time.Millisecond, 100 * time.Millisecond},
		{"third try", 3, 0, 100 * time.Millisecond, 200 * time.Millisecond},
		{"tenth try", 10, 0, 500 * time.Millisecond, time.Second},
		{"far beyond", 1000, 0, 500 * time.Millisecond, time.Second},
		{"asked for less", 3, time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond},
		{"asked for more", 2, 3 * time.Second, 3 * time.Second, 3*time.Second + 50*time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := map[time.Duration]bool{}
			for range 200 {
				got := c.backoff(tt.next, tt.after)
				if got < tt.min || got > tt.max {
					t.Fatalf("%s, want from %s to %s", got, tt.min, tt.max)
				}
				seen[got] = true
			}
			if len(seen) < 10 {
				t.Errorf("no chance in it: %v", seen)
			}
		})
	}
}
