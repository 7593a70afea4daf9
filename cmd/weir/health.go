package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthPatience is the longest that "weir health" waits: less than the
// health checks of containers do.
const healthPatience = 3 * time.Second

func (a *app) healthCommand() *cobra.Command {
	var live bool
	cmd := &cobra.Command{
		Use:   "health [URL]",
		Short: "Say whether a server answers, for health checks",
		Long: `Asks the server of the settings (or at URL) whether questions can be answered now
(/readyz), or with --live whether its process lives (/healthz). Exit code 0 when so, 1
when not, after 3 s at most. It is for health checks where there is no shell and no curl.
It opens no data folder. On this machine's own address, any certificate is taken: what is asked is
whether the server answers, not who it is.`,
		Example: `  weir health
  weir health --live http://127.0.0.1:8080`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("health takes at most one URL, but was given %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			base, err := c.ownAddress()
			if len(args) == 1 {
				base, err = args[0], nil
			}
			if err != nil {
				return err
			}
			path := "/readyz"
			if live {
				path = "/healthz"
			}
			// An authority's certificate is found by the name alone.
			name, _, _ := strings.Cut(c.text("WEIR_ACME_DOMAINS"), ",")
			return a.health(cmd.Context(), base, path, strings.TrimSpace(name))
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether the process lives")
	return cmd
}

// ownAddress is where the server of these settings is to be reached from its
// own machine.
func (c *config) ownAddress() (string, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", usagef("%s: %v", c.as("WEIR_LISTEN"), err)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	if port == "0" {
		note, ok := readServer(c.Data, readHolder(c.Data).pid)
		if !ok {
			return "", errors.New("the port is chosen by the server, and there is none on the data folder")
		}
		if host, port, err = net.SplitHostPort(note.Address); err != nil {
			return "", err
		}
	}
	scheme := "http"
	if c.text("WEIR_TLS_CERT") != "" || c.text("WEIR_ACME_DOMAINS") != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}

// text is a setting as it was given, or its default; empty when there is no
// such setting.
func (c *config) text(env string) string {
	for i, s := range settings() {
		if s.env == env {
			return c.origins[i].Text
		}
	}
	return ""
}

// health asks path of the server at base, whose certificate, on this machine's
// own address, is asked for by name, if there is one.
func (a *app) health(ctx context.Context, base, path, name string) error {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return usagef("health needs a URL such as http://127.0.0.1:8080, not %q", base)
	}
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String()+path, nil)
	if err != nil {
		return err
	}
	t := &http.Transport{DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	if isLocal(u.Hostname()) {
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, ServerName: name} //nolint:gosec // this machine's own address; its certificate has another name
	}
	client := &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("no whole answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s answers %s: %s", u, path, answer.Status, strings.TrimSpace(string(body)))
	}
	_, err = fmt.Fprintln(a.stdout, "ok")
	return err
}
