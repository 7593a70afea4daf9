package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the settings in force and where each came from",
		Long: `Shows the settings in force and where each came from; secrets are masked.
A flag goes before a variable, a variable before weir.yaml (in the working folder,
or --config FILE), and that before the default. Empty or 0 means the default.

` + settingsHelp(),
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, c.rows())
			}
			return printTable(a.stdout, c.rows())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// configRow is a setting as it is in force.
type configRow struct {
	Setting string `json:"setting"`
	Key     string `json:"key"`
	Value   string `json:"value"`
	From    string `json:"from"`
}

func (c *config) rows() []configRow {
	table := settings()
	rows := make([]configRow, len(table))
	for i, s := range table {
		v := c.origins[i].Text
		if s.secret && v != "" {
			v = mask(v)
		}
		rows[i] = configRow{s.env, s.key, v, c.origins[i].From}
	}
	return rows
}

// mask leaves so much of a secret that its owner knows which one it is.
func mask(secret string) string {
	if len(secret) < 16 || strings.ContainsAny(secret, "@=/ ") { // an address: its end may be that of a password
		return "***"
	}
	return secret[:3] + "***" + secret[len(secret)-4:]
}

func printTable(w io.Writer, rows []configRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		value := r.Value
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", r.Setting, value, r.From)
	}
	return t.Flush()
}

// settingsHelp is the table for the terminal.
func settingsHelp() string {
	var b strings.Builder
	b.WriteString("Settings:\n")
	for _, s := range settings() {
		names := []string{s.env, s.key}
		if s.flag != "" {
			names = append(names, "--"+s.flag+" "+s.value)
		}
		fmt.Fprintf(&b, "  %s\n      %s\n      Default: %s\n", strings.Join(names, "  "), s.help, s.defaultText())
	}
	return strings.TrimRight(b.String(), "\n")
}
