package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// reloader takes what has changed into force while the server runs.
type reloader struct {
	app    *app
	flags  *pflag.FlagSet
	now    config // in force
	porter *porter
	level  *slog.LevelVar
	log    *slog.Logger
}

// follow reloads at each SIGHUP, until ctx ends.
func (r *reloader) follow(ctx context.Context) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-hangups:
			r.reload(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// reload reads the keys again, opens the audit log anew, and takes over the
// settings that can change while calls are under way. Settings that cannot be read
// change nothing.
func (r *reloader) reload(ctx context.Context) {
	if r.porter.gate != nil {
		r.porter.gate.Reload(ctx)
	}
	if r.porter.audit != nil {
		r.porter.audit.Reopen()
	}
	c, err := r.app.loadConfig(r.flags)
	if err != nil {
		r.log.ErrorContext(ctx, "the settings cannot be read again; those from before stay in force", "error", err)
		return
	}
	var taken, later []string
	for i, s := range settings() {
		if c.origins[i].Text == r.now.origins[i].Text {
			continue
		}
		switch s.env {
		case "WEIR_USER_RATE", "WEIR_USER_BURST":
			if r.porter.limits == nil || c.userRate() == 0 { // from none, or to none
				later = append(later, s.env)
				continue
			}
			taken = append(taken, s.env)
		case "WEIR_LOG_LEVEL":
			r.level.Set(c.LogLevel)
			taken = append(taken, s.env)
		default:
			later = append(later, s.env)
		}
	}
	if r.porter.limits != nil && c.userRate() > 0 {
		r.porter.limits.Set(c.userRate(), c.userBurst())
	}
	// Only the names: among the values are secrets.
	r.log.InfoContext(ctx, "reloaded", "changed", taken, "needs_restart", later)
	// What needs a restart is named each time until then.
	for i, s := range settings() {
		if s.env == "WEIR_USER_RATE" || s.env == "WEIR_USER_BURST" || s.env == "WEIR_LOG_LEVEL" {
			r.now.origins[i] = c.origins[i]
		}
	}
}
