package weirtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Run builds the program, runs the tests of m and returns their exit code. The
// path of the program is in binary until then.
func Run(m *testing.M, binary *string) int {
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of the system's temporary folder
	*binary = filepath.Join(dir, "weir")
	cmd := exec.Command("go", "build", "-o", *binary, "weir/cmd/weir") //nolint:noctx // the tests have their own limit
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Printf("the program does not build without cgo: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// Environment is what the program needs and no more: the settings of whoever
// runs the tests are not the tests'.
func Environment() []string {
	var env []string
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "XDG_CACHE_HOME"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
