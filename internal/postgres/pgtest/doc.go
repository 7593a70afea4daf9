// Package pgtest starts Postgres clusters for tests: each its own, in a
// temporary folder, on a unix socket and a free port of the loopback
// interface, with fsync off, ended by the process id it was started with.
//
// What it needs is installed by .ci/postgres. Where that is absent the tests
// that ask are skipped with one line; WEIR_REQUIRE_POSTGRES=1 makes it a
// failure.
package pgtest
