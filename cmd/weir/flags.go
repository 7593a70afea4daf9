package main

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"weir/internal/rag"

	"github.com/spf13/pflag"
)

// namedValue is a flag's value that help calls by what it stands for instead
// of by its Go type.
type namedValue struct {
	pflag.Value
	name string
}

// Type is the word of help after the flag.
func (v namedValue) Type() string { return v.name }

// What flags take, as help says it.
const (
	wholeNumber = "N"
	number      = "NUMBER"
	nameValue   = "NAME"
)

// named lets help say --flag value.
func named(flags *pflag.FlagSet, flag, value string) {
	f := flags.Lookup(flag)
	f.Value = namedValue{f.Value, value}
	if f.DefValue == "[]" {
		f.DefValue = "" // which help does not print
	}
}

// addUserFlag adds --user with the default user.
func addUserFlag(flags *pflag.FlagSet, user *string, help string) {
	flags.StringVar(user, "user", defaultUser, help)
	named(flags, "user", nameValue)
	flags.Lookup("user").DefValue = strconv.Quote(defaultUser) // as it is printed; the value stays
}

// addModeFlag adds --mode.
func addModeFlag(flags *pflag.FlagSet, mode *string) {
	flags.StringVar(mode, "mode", "", "hybrid, vector or lexical (default hybrid, or lexical without an embedder)")
	named(flags, "mode", nameValue)
}

// checkUser refuses a user that no call would take, before anything is
// opened for it.
func checkUser(user string) error {
	switch {
	case user == "":
		return usagef("--user must not be empty; leave it out for the user %q", defaultUser)
	case len(user) > rag.MaxUserBytes:
		return usagef("--user is %d bytes long; the limit is %d", len(user), rag.MaxUserBytes)
	case !utf8.ValidString(user):
		return usagef("--user is not valid UTF-8")
	}
	return nil
}

// checkMode refuses a mode that is none.
func checkMode(mode string) error {
	if mode == "" || slices.Contains([]rag.Mode{rag.Hybrid, rag.Vector, rag.Lexical}, rag.Mode(mode)) {
		return nil
	}
	return usagef("--mode must be hybrid, vector or lexical, not %q", mode)
}

// checkVector refuses a vector search where the settings of this process are
// in force and name no embedder.
func (c *config) checkVector(mode string) error {
	if rag.Mode(mode) != rag.Vector || c.Embedder != "none" {
		return nil
	}
	return usagef("--mode vector needs an embedder, and there is none (WEIR_EMBEDDER=none)")
}

// check refuses what no answer can be asked with, before anybody is asked.
func (f searchFlags) check() error {
	if err := checkUser(f.user); err != nil {
		return err
	}
	if err := checkMode(f.mode); err != nil {
		return err
	}
	switch {
	case f.least != nil && !(*f.least > 0 && *f.least <= 1): // catches NaN too
		return usagef("--threshold must be above 0 and at most 1, not %v", *f.least)
	case f.maxChunks < 1 || f.maxChunks > rag.MaxChunks:
		return usagef("--max-chunks must be from 1 to %d, not %d", rag.MaxChunks, f.maxChunks)
	case f.budget < 1 || f.budget > rag.MaxTokenBudget:
		return usagef("--token-budget must be from 1 to %d, not %d", rag.MaxTokenBudget, f.budget)
	case f.neighbors < 0 || f.neighbors > rag.MaxNeighbors:
		return usagef("--neighbors must be from 0 to %d, not %d", rag.MaxNeighbors, f.neighbors)
	case len(f.documents) > rag.MaxDocumentIDs:
		return usagef("--document is given %d times; the limit is %d", len(f.documents), rag.MaxDocumentIDs)
	case slices.Contains(f.documents, ""):
		return usagef("--document must not be empty; leave it out to search all documents")
	}
	return nil
}
