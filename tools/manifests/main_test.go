package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each change to a manifest that is as it should be must be seen.
func TestMistakesAreSeen(t *testing.T) {
	tests := []struct{ name, file, old, new, says string }{
		{"a field that is none", "postgres/deployment.yaml", "imagePullPolicy:", "imagePulPolicy:", "imagePulPolicy"},
		{"a kind that is none", "postgres/service.yaml", "kind: Service", "kind: Servise", "not known"},
		{"a field twice", "postgres/service.yaml", "  name: weir\n", "  name: weir\n  name: other\n", "already set"},
		{"as root", "postgres/deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"},
		{"a root folder to write", "embedded/statefulset.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "more than it needs"},
		{"a probe of the wrong kind", "postgres/deployment.yaml", "path: /readyz", "path: /healthz", "readiness probe asks /healthz"},
		{"a service for nobody", "postgres/service.yaml", "name: weir, app", "name: wier, app", "selects none"},
		{"a policy for nobody", "embedded/network.yaml", "name: weir }", "name: wier }", "selects none"},
		{"a metric that is none", "postgres/autoscaler.yaml", "metric: { name: weir_calls_in_flight", "metric: { name: weir_calls", "docs/OBSERVABILITY.md does not have"},
		{"a volume that is none", "postgres/deployment.yaml", "- name: tmp\n          emptyDir", "- name: temp\n          emptyDir", "mounts tmp"},
		{"two servers on a folder", "embedded/statefulset.yaml", "replicas: 1", "replicas: 2", "one server at a time"},
		{"a secret in the environment", "postgres/deployment.yaml", "{ name: WEIR_AUTH, value: keys }", "{ name: OPENAI_API_KEY, value: sk-1 }", "a secret in its environment"},
		{"no limit of memory", "embedded/backup.yaml", "limits: { memory: 512Mi }", "limits: {}", "no limit of memory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "kubernetes")
			if err := os.CopyFS(folder, os.DirFS("../../deploy/kubernetes")); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(folder, tt.file)
			content, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(content), tt.old) {
				t.Fatalf("%s does not hold %q: %v", tt.file, tt.old, err)
			}
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(content), tt.old, tt.new)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := checkKubernetes(folder); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

func TestComposeMistakesAreSeen(t *testing.T) {
	whole, err := os.ReadFile("../../deploy/docker/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ old, new, says string }{
		"a password":            {"DB_PASSWORD_FILE: ", "DB_PASSWORD: ", "a password in its environment"},
		"open to the network":   {"127.0.0.1:8080:8080", "8080:8080", "open to the network"},
		"a field that is none":  {"read_only:", "readonly:", "readonly"},
		"a secret that is none": {"weir_database_password, openai_api_key]", "weir_database_password, openai_key]", "openai_key"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "compose.yaml")
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(whole), tt.old, tt.new)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := checkCompose(t.Context(), path); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}
