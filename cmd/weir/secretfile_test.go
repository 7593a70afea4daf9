package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretsFromFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", "key", "sk-abcdefghijklmnop-wxyz\n")
	write(t, ".", "url", "postgres://u:abcdefghijkl@h/d")
	write(t, ".", "password", "geheim/+@\r\n")
	write(t, ".", "empty", "\n")
	write(t, ".", "lines", "a\nb\n")
	write(t, ".", "large", strings.Repeat("x", maxSecret+1))
	tests := []struct {
		name string
		env  []string
		of   string
		want configRow
		says string
	}{
		{name: "a key", env: []string{"OPENAI_API_KEY_FILE=key"}, of: "OPENAI_API_KEY", want: configRow{Value: "sk-***wxyz", From: "OPENAI_API_KEY_FILE"}},
		{name: "it counts as given", env: []string{"OPENAI_API_KEY_FILE=key"}, of: "WEIR_EMBEDDER", want: configRow{Value: "openai", From: "default (OPENAI_API_KEY is set)"}},
		{name: "an address", env: []string{"WEIR_STORE=postgres", "DATABASE_URL_FILE=url"}, of: "DATABASE_URL", want: configRow{Value: "***", From: "DATABASE_URL_FILE"}},
		{name: "the password of an address", env: []string{"WEIR_STORE=postgres", "DB_HOST=h", "DB_PASSWORD_FILE=password"}, of: "DATABASE_URL", want: configRow{Value: "***", From: "the variables of its parts"}},
		{name: "an empty variable names no file", env: []string{"OPENAI_API_KEY_FILE="}, of: "OPENAI_API_KEY", want: configRow{From: "default"}},
		{name: "no file", env: []string{"OPENAI_API_KEY_FILE=none"}, says: "the file none that OPENAI_API_KEY_FILE names cannot be read"},
		{name: "an empty file", env: []string{"OPENAI_API_KEY_FILE=empty"}, says: "is empty"},
		{name: "several lines", env: []string{"OPENAI_API_KEY_FILE=lines"}, says: "more than one line"},
		{name: "a large file", env: []string{"OPENAI_API_KEY_FILE=large"}, says: "larger than 64 KiB"},
		{name: "both", env: []string{"OPENAI_API_KEY_FILE=key", "OPENAI_API_KEY=x"}, says: "both set"},
		{name: "both passwords", env: []string{"WEIR_STORE=postgres", "DB_HOST=h", "DB_PASSWORD_FILE=password", "DB_PASSWORD=x"}, says: "both set"},
		{name: "no file of a password", env: []string{"WEIR_STORE=postgres", "DB_HOST=h", "DB_PASSWORD_FILE=none"}, says: "DB_PASSWORD_FILE names cannot be read"},
		{name: "what is no secret has no file", env: []string{"WEIR_LISTEN_FILE=key"}, says: "WEIR_LISTEN_FILE is no setting"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.says != "" {
				if r := weirIn(t, tt.env, "", "", "config"); r.code != exitUsage || !strings.Contains(r.stderr, tt.says) {
					t.Errorf("got %+v, want %q", r, tt.says)
				}
				return
			}
			got := configOf(t, tt.env)[tt.of]
			if got.Value != tt.want.Value || got.From != tt.want.From {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
	c, err := (&app{env: []string{"WEIR_STORE=postgres", "DB_HOST=h", "DB_PASSWORD_FILE=" + filepath.Join(".", "password")}}).loadConfig((&app{}).rootCommand().PersistentFlags())
	if err != nil || c.DatabaseURL != "postgres://postgres:geheim%2F+%40@h:5432/postgres" {
		t.Errorf("the address is %q, %v", c.DatabaseURL, err)
	}
}
