package postgres

import (
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	for _, test := range []struct {
		name string
		set  map[string]string
		want string
	}{
		{"nothing", nil, ""},
		{"URL", map[string]string{"DATABASE_URL": " postgres://a:b@c/d ", "DB_HOST": "x"}, "postgres://a:b@c/d"},
		{
			name: "old parts",
			set:  map[string]string{"DB_HOST": "db.example.org", "DB_PORT": "6543", "DB_NAME": "app", "DB_USER": "joe", "DB_PASSWORD": "p@ss/w:rd?#%"},
			want: "postgres://joe:p%40ss%2Fw%3Ard%3F%23%25@db.example.org:6543/app",
		},
		{"defaults", map[string]string{"POSTGRES_HOST": "db"}, "postgres://postgres:@db:5432/postgres"},
		{"socket", map[string]string{"PGHOST": "/run/pg", "PGUSER": "joe", "PGDATABASE": "app"}, "postgres://joe:@/app?host=%2Frun%2Fpg&port=5432"},
		{"families are not mixed", map[string]string{"SUPABASE_DB_HOST": "s", "DB_PASSWORD": "other", "POSTGRES_USER": "other"}, "postgres://postgres:@s:5432/postgres"},
		{"IPv6", map[string]string{"PGHOST": "::1", "PGSSLMODE": "require"}, "postgres://postgres:@[::1]:5432/postgres?sslmode=require"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Address(func(name string) string { return test.set[name] })
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if _, err := parse(got); got != "" && err != nil {
				t.Errorf("cannot be parsed: %v", err)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"postgresql+asyncpg://a:b@c/d?ssl=require", "postgresql://a:b@c/d?sslmode=require"},
		{"postgres://a:b@c:6543/d?pgbouncer=true&sslmode=require&connection_limit=1", "postgres://a:b@c:6543/d?sslmode=require"},
		{"postgres://a:b@c/d", "postgres://a:b@c/d"},
		{"host=c user=a password='x?pgbouncer=1'", "host=c user=a password='x?pgbouncer=1'"},
	} {
		if got := plain(test.in); got != test.want {
			t.Errorf("%s: got %s, want %s", test.in, got, test.want)
		}
		if _, err := parse(test.in); err != nil {
			t.Errorf("%s: %v", test.in, err)
		}
	}
}

func FuzzStored(f *testing.F) {
	for _, s := range []string{"", "plain", "nul\x00", "\U0010FFFF0", "\U0010FFFF\x00\U0010FFFF1", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w := stored(s)
		for i := range len(w) {
			if w[i] == 0 {
				t.Fatalf("%q is stored as %q", s, w)
			}
		}
		if got := original(w); got != strings.ToValidUTF8(s, "\uFFFD") {
			t.Errorf("%q came back as %q", s, got)
		}
	})
}
