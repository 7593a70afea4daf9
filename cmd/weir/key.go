package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"weir/internal/identity"
	"weir/internal/rag"

	"github.com/spf13/cobra"
)

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make, list and revoke API keys",
		Long: `Makes, lists and revokes the API keys by which a server knows its callers. They are in
WEIR_KEYS_FILE (keys.json in the data folder), which holds no secrets: a key is shown
once, when it is made. Servers that take keys from the file see a change within a
second. A server is started without authentication while there is no such file.`,
		Example: `  weir key create --user ann --expires 90d
  weir key create --service --name backend
  weir key list
  weir key revoke ID`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usagef("key has no command %q%s", args[0], didYouMean(args[0], []string{"create", "list", "revoke", "rotate"}))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.keyCreateCommand(), a.keyListCommand(), a.keyRevokeCommand(), a.keyRotateCommand())
	return cmd
}

// listedKey is what --json prints of a key.
type listedKey struct {
	identity.Key
	State    string     `json:"state"`               // active, expired or revoked
	LastUsed *time.Time `json:"last_used,omitempty"` // to about a minute; absent: nothing is known of any use
}

func (a *app) keyListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys, without their secrets",
		Long: `Lists the keys, and when each was last used, in UTC. Servers write that down about
once a minute, into a file beside that of the keys; "-" means that no use is known:
there was none, or the servers may not write there.`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			keys, err := fromDisk(cmd.Context(), c.keysPath(), identity.ReadKeys)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			used, err := fromDisk(cmd.Context(), identity.UsesPath(c.keysPath()), identity.ReadUses)
			if ctxErr := cmd.Context().Err(); ctxErr != nil {
				return ctxErr
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // the keys can be listed without it
				fmt.Fprintf(a.stderr, "weir: %v\n", err)
			}
			return a.listKeys(c, keys, used, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) listKeys(c config, keys []identity.Key, used map[string]time.Time, asJSON bool) error {
	now := time.Now()
	listed := make([]listedKey, len(keys))
	for i, k := range keys {
		listed[i] = listedKey{Key: k, State: k.State(now)}
		if at, ok := used[k.ID]; ok {
			listed[i].LastUsed = &at
		}
	}
	if asJSON {
		return printJSON(a.stdout, listed)
	}
	if len(keys) == 0 {
		fmt.Fprintf(a.stderr, "There are no keys in %s; make one with: weir key create --user NAME\n", c.keysPath())
		return nil
	}
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tFOR\tSCOPES\tCREATED\tEXPIRES\tLAST USED\tSTATE\tNAME")
	for _, k := range listed {
		of := "user " + string(k.User)
		if k.Service {
			of = "service"
			if len(k.Users) > 0 {
				of += " (" + strings.Join(k.Users, "…, ") + "…)"
			}
		}
		expires := "never"
		if k.Expires != nil {
			expires = k.Expires.Format(time.DateOnly)
		}
		last := "-"
		if k.LastUsed != nil {
			last = k.LastUsed.UTC().Format("2006-01-02 15:04")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, of, strings.Join(k.Scopes, ","), k.Created.Format(time.DateOnly), expires, last, k.State, k.Name)
	}
	return t.Flush()
}

func (a *app) keyRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Have a key refused from now on, for good",
		Args:  exactly(1, "the id of a key, as weir key list has it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.editKey(cmd, args[0], func(k *identity.Key) {
				if k.Revoked == nil {
					now := time.Now().UTC().Truncate(time.Second)
					k.Revoked = &now
				}
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "Key %s is revoked. Servers that share the file refuse it within a second.\n", args[0])
			return err
		},
	}
}

func (a *app) keyRotateCommand() *cobra.Command {
	var (
		grace  string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Make a key that takes another's place, and let that expire",
		Args:  exactly(1, "the id of a key, as weir key list has it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := lifetime(grace)
			if err != nil || d < 0 {
				return usagef("--grace must be a time such as 24h or 7d, not %q", grace)
			}
			return a.keyRotate(cmd, args[0], d, asJSON)
		},
	}
	cmd.Flags().StringVar(&grace, "grace", "24h", "`TIME` that the old key is still good for")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) keyRotate(cmd *cobra.Command, id string, grace time.Duration, asJSON bool) error {
	now := time.Now().UTC().Truncate(time.Second)
	var made identity.Key
	var secret string
	err := a.editKeys(cmd.Context(), cmd, func(keys []identity.Key) ([]identity.Key, error) {
		old, err := pickKey(keys, id)
		if err != nil {
			return nil, err
		}
		if state := old.State(now); state != "active" {
			return nil, rag.Errorf(rag.Conflict, "key %s is %s; make a new one with weir key create", id, state)
		}
		next := *old
		if old.Expires != nil { // as long a life as the old one had
			end := now.Add(old.Expires.Sub(old.Created))
			next.Expires = &end
		}
		if made, secret, err = identity.NewKey(next, now); err != nil {
			return nil, err
		}
		if end := now.Add(grace); old.Expires == nil || end.Before(*old.Expires) {
			old.Expires = &end
		}
		return append(keys, made), nil
	})
	if err != nil {
		return err
	}
	return a.showKey(made, secret, asJSON)
}

// editKey changes one key.
func (a *app) editKey(cmd *cobra.Command, id string, change func(*identity.Key)) error {
	return a.editKeys(cmd.Context(), cmd, func(keys []identity.Key) ([]identity.Key, error) {
		k, err := pickKey(keys, id)
		if err != nil {
			return nil, err
		}
		change(k)
		return keys, nil
	})
}

func (a *app) editKeys(ctx context.Context, cmd *cobra.Command, change func([]identity.Key) ([]identity.Key, error)) error {
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	return identity.EditKeys(ctx, c.keysPath(), change)
}

// pickKey finds a key by its id. Whoever gives a whole key is told not to: a
// command line is seen by others.
func pickKey(keys []identity.Key, id string) (*identity.Key, error) {
	if i := slices.IndexFunc(keys, func(k identity.Key) bool { return k.ID == id }); i >= 0 {
		return &keys[i], nil
	}
	if strings.HasPrefix(id, "weir_") {
		return nil, usagef("give the id of the key, which is its middle part, and never the key itself on a command line: others see it")
	}
	return nil, rag.Errorf(rag.NotFound, "there is no key %q; weir key list has them", id)
}
