package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/internal/identity"
	"weir/internal/rag"

	"github.com/spf13/cobra"
)

// madeKey is what --json prints of a key that was made.
type madeKey struct {
	Secret string       `json:"secret"` // to be sent; it is nowhere else
	Key    identity.Key `json:"key"`
}

type keyFlags struct {
	user, name, expires     string
	service, readOnly, json bool
	users, scopes           []string
}

func (a *app) keyCreateCommand() *cobra.Command {
	var f keyFlags
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a key and show it, once",
		Long: `Makes a key for one user (--user), or for a service that acts for the users it names
in X-User-ID (--service), and prints it on standard output, once.
A user's key may read and write; a service's besides see /metrics and all of
/v1/status, unless it is for some users only.`,
		Example: `  weir key create --user ann --expires 90d
  weir key create --service --name backend
  weir key create --service --for tenant1- --name tenant1
  weir key create --service --scope metrics --name prometheus`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.keyCreate(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "user whom the key is for")
	flags.BoolVar(&f.service, "service", false, "the key is for a service, which names a user in each call")
	flags.StringArrayVar(&f.users, "for", nil, "of a service: what the names of its users begin with; may be given again (default any)")
	flags.StringVar(&f.name, "name", "", "of the key, for people")
	flags.StringVar(&f.expires, "expires", "", "`TIME` it is good for, such as 90d or 12h, or the day it ends, 2027-01-31 (default never)")
	flags.BoolVar(&f.readOnly, "read-only", false, "it may ask and read, but not change documents")
	flags.StringSliceVar(&f.scopes, "scope", nil, "what it may do: read, write, metrics, admin (the last two of services); may be given again")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	for flag, value := range map[string]string{"user": nameValue, "for": "PREFIX", "name": nameValue, "scope": "SCOPE"} {
		named(flags, flag, value)
	}
	return cmd
}

// key is what the flags ask for.
func (f keyFlags) key(now time.Time) (identity.Key, error) {
	k := identity.Key{Name: f.name, User: rag.User(f.user), Service: f.service, Users: f.users, Scopes: f.scopes}
	switch {
	case f.service && f.user != "":
		return k, usagef("--user and --service are two kinds of key; give one of them")
	case !f.service && f.user == "":
		return k, usagef("key create needs --user NAME, or --service")
	case f.user != "":
		if err := checkUser(f.user); err != nil {
			return k, err
		}
	}
	if !f.service && len(f.users) > 0 {
		return k, usagef("--for is of a service's key; give --service")
	}
	if f.readOnly && len(f.scopes) > 0 {
		return k, usagef("--read-only and --scope both say what the key may do; give one of them")
	}
	if len(f.scopes) == 0 {
		k.Scopes = []string{identity.ScopeRead}
		if !f.readOnly {
			k.Scopes = append(k.Scopes, identity.ScopeWrite)
		}
		if f.service && len(f.users) == 0 {
			k.Scopes = append(k.Scopes, identity.ScopeMetrics)
		}
	}
	var err error
	k.Expires, err = expiry(f.expires, now)
	return k, err
}

// expiry reads 90d, 12h or a day; "" is never.
func expiry(text string, now time.Time) (*time.Time, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // never
	}
	wrong := usagef("--expires must be a time such as 90d or 12h, or a day such as 2027-01-31, that is still to come, not %q", text)
	end, err := time.Parse(time.DateOnly, text)
	if err != nil {
		life, err := lifetime(text)
		if err != nil {
			return nil, wrong
		}
		end = now.Add(life)
	}
	if !end.After(now) {
		return nil, wrong
	}
	end = end.UTC().Truncate(time.Second)
	return &end, nil
}

// lifetime is a time that may be in days.
func lifetime(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		const most = 36500
		if err != nil || n < 1 || n > most {
			return 0, fmt.Errorf("not from 1 to %d days", most)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}

func (a *app) keyCreate(cmd *cobra.Command, f keyFlags) error {
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	now := time.Now()
	k, err := f.key(now)
	if err != nil {
		return err
	}
	made, secret, err := identity.NewKey(k, now)
	if err != nil {
		return usageError(err.Error())
	}
	err = identity.EditKeys(cmd.Context(), c.keysPath(), func(keys []identity.Key) ([]identity.Key, error) { return append(keys, made), nil })
	if err != nil {
		return err
	}
	if !c.authenticates() {
		fmt.Fprintf(a.stderr, "weir: a server that runs without authentication takes no keys until it is started again%s\n",
			map[bool]string{true: ", with another WEIR_AUTH than off"}[c.given("WEIR_AUTH")])
	}
	return a.showKey(made, secret, f.json)
}

// showKey prints a key that was made. The secret alone goes to standard output, so
// that it can be caught in a variable.
func (a *app) showKey(k identity.Key, secret string, asJSON bool) error {
	if asJSON {
		return printJSON(a.stdout, madeKey{secret, k})
	}
	fmt.Fprintf(a.stderr, "Key %s, %s. It is shown this once; send it as Authorization: Bearer.\n", k.ID, describe(k))
	_, err := fmt.Fprintln(a.stdout, secret)
	return err
}

// describe is a key in words.
func describe(k identity.Key) string {
	s := "for the user " + string(k.User)
	switch {
	case k.Service && len(k.Users) > 0:
		s = "for a service that acts for " + strings.Join(k.Users, "…, ") + "…"
	case k.Service:
		s = "for a service that acts for any user"
	}
	s += ", to " + strings.Join(k.Scopes, ", ")
	if k.Expires != nil {
		s += ", until " + k.Expires.Format(time.DateTime) + " UTC"
	}
	return s
}
