package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// installation is where the programs are.
type installation struct {
	bin       string // folder of postgres, initdb and the like
	pgbouncer string // "": not installed
}

// find returns the newest Postgres that has pgvector.
func find() (installation, error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return installation{}, err
	}
	if p, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(p))
	}
	if own := os.Getenv("WEIR_POSTGRES_BIN"); own != "" {
		dirs = []string{own}
	}
	slices.Sort(dirs)
	slices.Reverse(dirs)
	why := "no Postgres is installed"
	for _, bin := range dirs {
		if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
			continue
		}
		share, err := exec.Command(filepath.Join(bin, "pg_config"), "--sharedir").Output() //nolint:noctx // answers at once
		if err != nil {
			why = fmt.Sprintf("%s has no pg_config", bin)
			continue
		}
		if _, err := os.Stat(filepath.Join(strings.TrimSpace(string(share)), "extension", "vector.control")); err != nil {
			why = fmt.Sprintf("the Postgres in %s has no pgvector", bin)
			continue
		}
		in := installation{bin: bin}
		for _, p := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
			if found, err := exec.LookPath(p); err == nil && in.pgbouncer == "" {
				in.pgbouncer = found
			}
		}
		return in, nil
	}
	return installation{}, fmt.Errorf("%s (.ci/postgres installs what is needed)", why)
}
