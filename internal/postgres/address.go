package postgres

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"weir/internal/rag"
)

// Address finds the address of the database among variables, as programs have
// named them before: DATABASE_URL; else the parts of it, from the first of
// these families of which the host is set: PGHOST (PGPORT, PGDATABASE, PGUSER,
// PGPASSWORD, PGSSLMODE), POSTGRES_HOST (…_PORT, …_DB, …_USER, …_PASSWORD,
// …_SSLMODE), DB_HOST (…_PORT, …_NAME, …_USER, …_PASSWORD, …_SSLMODE),
// SUPABASE_DB_HOST (as DB_HOST). Families are never mixed. variable looks one
// up and returns "" for one that is not set. The address is "" where nothing is.
//
// A driver in the scheme (postgresql+asyncpg://) is left out.
func Address(variable func(name string) string) string {
	if address := strings.TrimSpace(variable("DATABASE_URL")); address != "" {
		return address
	}
	for _, f := range []struct{ host, port, name, user, password, sslmode string }{
		{"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSSLMODE"},
		{"POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_SSLMODE"},
		{"DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD", "DB_SSLMODE"},
		{"SUPABASE_DB_HOST", "SUPABASE_DB_PORT", "SUPABASE_DB_NAME", "SUPABASE_DB_USER", "SUPABASE_DB_PASSWORD", "SUPABASE_DB_SSLMODE"},
	} {
		host := strings.TrimSpace(variable(f.host))
		if host == "" {
			continue
		}
		user, name, port := variable(f.user), variable(f.name), variable(f.port)
		if user == "" {
			user = "postgres"
		}
		if name == "" {
			name = "postgres"
		}
		if port == "" {
			port = "5432"
		}
		u := url.URL{Scheme: "postgres", User: url.UserPassword(user, variable(f.password)), Path: "/" + name}
		q := url.Values{}
		if strings.HasPrefix(host, "/") { // a unix socket
			q.Set("host", host)
			q.Set("port", port)
		} else {
			u.Host = net.JoinHostPort(host, port)
		}
		if mode := variable(f.sslmode); mode != "" {
			q.Set("sslmode", mode)
		}
		u.RawQuery = q.Encode()
		return u.String()
	}
	return ""
}

var errSplit = errors.New("it falls into the wrong parts")

// parse reads an address. Its errors hold nothing of it: any part may be a
// misplaced password.
func parse(address string) (*pgxpool.Config, error) {
	if strings.TrimSpace(address) == "" {
		return nil, rag.FieldErrorf("address", "of the database is missing: set DATABASE_URL")
	}
	cfg, err := pgxpool.ParseConfig(plain(address))
	if err == nil && strings.ContainsAny(cfg.ConnConfig.Host+cfg.ConnConfig.Database, "@") {
		err = errSplit // by a reserved character of the password, a part of which would be taken for something else
	}
	if err != nil {
		return nil, rag.FieldErrorf("address", "of the database cannot be read; it looks like postgres://user:password@host:5432/name?sslmode=require, "+
			"with the reserved characters of the password written as %%XX")
	}
	return cfg, nil
}

// plain takes out of an address what other clients put there for themselves.
func plain(address string) string {
	address = strings.TrimSpace(address)
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	if base, _, driver := strings.Cut(scheme, "+"); driver {
		scheme = base
	}
	before, query, _ := strings.Cut(rest, "?")
	var kept []string
	for _, part := range strings.Split(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		switch name {
		case "", "pgbouncer", "connection_limit", "pool_timeout", "statement_cache_size", "prepared_statement_cache_size", "command_timeout", "schema":
		case "ssl": // asyncpg's name
			kept = append(kept, "sslmode"+strings.TrimPrefix(part, "ssl"))
		default:
			kept = append(kept, part)
		}
	}
	address = scheme + "://" + before
	if len(kept) > 0 {
		address += "?" + strings.Join(kept, "&")
	}
	return address
}

// masker returns a function that takes a password out of a text, as it is and
// as it is written in an address.
func masker(passwords ...string) func(string) string {
	var pairs []string
	for _, p := range passwords {
		for _, form := range []string{p, url.QueryEscape(p), url.PathEscape(p), strings.TrimPrefix(url.UserPassword("", p).String(), ":")} {
			if form != "" {
				pairs = append(pairs, form, "***")
			}
		}
	}
	return strings.NewReplacer(pairs...).Replace
}
