package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"syscall"

	"weir/internal/rag"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// app is what the process gave to the program.
type app struct {
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run is the whole program. ctx ends it in order; env is in the form of
// os.Environ. It returns the exit code.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &results{to: stdout, onLost: cancel}
	a := &app{env: env, stdin: stdin, stdout: out, stderr: stderr}
	root := a.rootCommand() //nolint:contextcheck // commands take their context from cobra, which gets it below
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if lost := out.err(); lost != nil && (err == nil || errors.Is(err, lost)) {
		err = fmt.Errorf("the results could not be written: %w", lost)
		if errors.Is(lost, syscall.EPIPE) {
			err = errReported // who reads them has had enough, and need not be told
		}
	}
	var usage usageError
	programs := err != nil && forProgram(cmd, args)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errReported):
		return exitFailed
	case errors.As(err, &usage):
		if programs {
			tellProgram(out, rag.Errorf(rag.Invalid, "%s", usage))
		}
		fmt.Fprintf(stderr, "weir: %s\nSee %q.\n", usage, cmd.CommandPath()+" --help")
		return exitUsage
	default:
		if programs {
			tellProgram(out, err)
		}
		fmt.Fprintf(stderr, "weir: %s\n", explain(err))
		return exitFailed
	}
}

func (a *app) rootCommand() *cobra.Command {
	var showVersion bool
	root := &cobra.Command{
		Use:   "weir",
		Short: "Find the passages of your own documents that answer a question",
		Long: `Weir reads your documents (PDF, DOCX, HTML, Markdown, text) and finds the passages
that answer a question, with file, page and section. Every call ends by its
deadline, with an answer or a clear error.`,
		Example: `  weir serve --docs ./papers
  weir ingest handbook.pdf
  weir search "How long is the warranty?"`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usagef("there is no command %q%s", args[0], didYouMean(args[0], commandNames(cmd)))
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showVersion {
				_, err := fmt.Fprintln(a.stdout, thisBuild())
				return err
			}
			return cmd.Help()
		},
	}
	root.Flags().BoolVar(&showVersion, "version", false, "say which build this is")
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(explainFlag)
	root.SetUsageTemplate(usageTemplate)
	addSettingFlags(root.PersistentFlags())
	root.AddCommand(
		a.serveCommand(), a.ingestCommand(), a.searchCommand(), a.askCommand(), a.drillCommand(), a.loadCommand(),
		a.evalCommand(), a.reembedCommand(), a.mcpCommand(), a.keyCommand(),
		a.backupCommand(), a.restoreCommand(), a.healthCommand(),
		a.doctorCommand(), a.configCommand(), a.versionCommand(),
	)
	return root
}

// usageTemplate is cobra's without the settings, which every command takes and
// which would drown its own flags; "weir config --help" lists them.
const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND [flags]{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasParent}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{end}}

Every setting (--data, --embedder, --timeout and so on) is a flag of every command,
a WEIR_* variable and a line of weir.yaml: see "weir config --help".
`

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// explainFlag makes usage errors of what pflag says, which names no remedy.
func explainFlag(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			return usagef("%s has no flag -%s", cmd.Name(), name)
		}
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		hint := didYouMean(name, names)
		if hint != "" {
			hint = didYouMean("--"+name, prefixed("--", names))
		}
		return usagef("%s has no flag --%s%s", cmd.Name(), name, hint)
	case errors.As(err, &missing):
		return usagef("--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		return usagef("--%s must be %s, not %q", invalid.GetFlag().Name, kindOf(invalid.GetFlag()), invalid.GetValue())
	default:
		return usagef("%s", err)
	}
}

// kindOf names what a flag takes.
func kindOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case wholeNumber:
		return "a whole number"
	case number:
		return "a number"
	case "bool":
		return "true or false"
	default:
		return "a " + f.Value.Type()
	}
}

// exactly is the rule for commands that take no or a fixed number of
// arguments; what names them.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < n:
			return usagef("%s needs %s", cmd.Name(), what)
		case len(args) > n && n == 0:
			return usagef("%s takes no argument, but was given %q", cmd.Name(), args[0])
		case len(args) > n:
			return usagef("%s takes %s, but was given %d arguments; quote it if it has spaces", cmd.Name(), what, len(args))
		}
		return nil
	}
}

func atLeastOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s needs %s", cmd.Name(), what)
		}
		return nil
	}
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	return out
}

// logger writes to stderr as the settings say.
func (a *app) logger(c config) *slog.Logger { return a.loggerAt(c, c.LogLevel) }

// loggerAt is the same with a level that may change.
func (a *app) loggerAt(c config, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.stderr, opts))
	}
	return slog.New(slog.NewTextHandler(a.stderr, opts))
}
