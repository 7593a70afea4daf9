package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	answers := http.NewServeMux()
	answers.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	answers.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the store is closed", http.StatusServiceUnavailable)
	})
	plain := httptest.NewServer(answers)
	defer plain.Close()
	secret := httptest.NewTLSServer(answers)
	defer secret.Close()
	moved := httptest.NewServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer moved.Close()
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"it lives", []string{"--live", plain.URL}, exitOK, "ok"},
		{"a slash at the end", []string{"--live", plain.URL + "/"}, exitOK, "ok"},
		{"the server of the settings", []string{"--live", "--listen", strings.TrimPrefix(plain.URL, "http://")}, exitOK, "ok"},
		{"all addresses", []string{"--live", "--listen", strings.Replace(strings.TrimPrefix(plain.URL, "http://"), "127.0.0.1", "0.0.0.0", 1)}, exitOK, "ok"},
		{"a certificate of its own", []string{"--live", secret.URL}, exitOK, "ok"},
		{"it is not ready", []string{plain.URL}, exitFailed, "503 Service Unavailable: the store is closed"},
		{"it sends elsewhere", []string{moved.URL}, exitFailed, "302"},
		{"nobody is there", []string{"http://127.0.0.1:1"}, exitFailed, "no answer"},
		{"no server on the folder", []string{"--listen", "127.0.0.1:0", "--data", t.TempDir()}, exitFailed, "there is none on the data folder"},
		{"no URL", []string{"localhost:80"}, exitUsage, "needs a URL"},
		{"two", []string{"http://a", "http://b"}, exitUsage, "at most one URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := weir(t, "", append([]string{"health"}, tt.args...)...)
			if r.code != tt.code || !strings.Contains(r.out+r.stderr, tt.says) {
				t.Errorf("got %+v, want exit %d and %q", r, tt.code, tt.says)
			}
		})
	}
}
