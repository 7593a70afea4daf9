// Command weir finds the passages of a user's own documents that answer a
// question.
//
// This is the one place that sees all the rooms: it reads the settings, opens
// the store, the extractor and the embedder, joins them to a rag.Service and
// opens the doors. The whole program is the function run, which touches
// nothing of the process but what it is given, so that tests call it.
//
// # Reading order
//
// run.go (the commands and the exit codes), settings.go and config.go (the
// table of settings and where values come from), hold.go (who holds the data
// folder), engine.go (the rooms joined), library.go (through the server or
// not), then a file for each command.
package main

import (
	"context"
	"fmt"
	"io"
	"log" //nolint:depguard // to silence it
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// net/http writes there what a provider sends out of turn: a part of an answer.
	log.SetOutput(io.Discard)
	// Who reads the results may leave (weir drill | head): that is an error of a
	// write, upon which the command ends and clears up.
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "weir: stopping; a second signal stops it at once")
		cancel()
		<-signals
		os.Exit(exitFailed)
	}()
	if len(os.Args) > 1 && os.Args[1] == "backup" {
		giveWay() // to the server beside it; here, because it is the whole process that does
	}
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
