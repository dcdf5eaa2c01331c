package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError says that the command line makes no sense.
type usageError struct {
	message string
	// suggestions are what may have been meant.
	suggestions []string
	// command is the one whose help explains it.
	command string
}

func (e *usageError) Error() string { return e.message }

// tellHints says how to do better.
func (e *usageError) tellHints(text *strings.Builder) {
	if len(e.suggestions) > 0 {
		fmt.Fprintf(text, "did you mean %s?\n", strings.Join(e.suggestions, " or "))
	}
	command := e.command
	if command == "" {
		command = "gracevisorctl"
	}
	fmt.Fprintf(text, "see: %s --help\n", command)
}

func usageOf(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...), command: cmd.CommandPath()}
}

// asUsage takes an error of the command line's parser for what it is.
func asUsage(err error) error {
	if _, ok := errors.AsType[*usageError](err); ok {
		return err
	}
	return &usageError{message: err.Error()}
}

// knownCommand is what remains to be said when no command was found.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{
		message:     fmt.Sprintf("unknown command %q", args[0]),
		suggestions: cmd.SuggestionsFor(args[0]),
		command:     cmd.CommandPath(),
	}
}

// flagError turns errors of the flags' parser into errors of usage.
func flagError(cmd *cobra.Command, err error) error {
	usage := &usageError{message: err.Error(), command: cmd.CommandPath()}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		usage.suggestions = nearestFlags(cmd, unknown.GetSpecifiedName())
	}
	return usage
}

// nearestFlags are the flags of cmd whose names differ from name by two letters
// at most, or begin with it.
func nearestFlags(cmd *cobra.Command, name string) []string {
	var near []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if len(name) > 1 && (distance(f.Name, name) <= 2 || strings.HasPrefix(f.Name, name)) {
			near = append(near, "--"+f.Name)
		}
	})
	return near
}

// distance is the number of letters to insert, remove or change to make a of b
// (Levenshtein's).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// someApps and anyApps are what commands take.
func someApps(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageOf(cmd, "%s needs the name of an app at least", cmd.Name())
	}
	return anyApps(cmd, args)
}

func anyApps(cmd *cobra.Command, args []string) error {
	for _, arg := range args {
		if arg == "" {
			return usageOf(cmd, "the name of an app is empty")
		}
	}
	return nil
}

func oneApp(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageOf(cmd, "%s needs the name of one app", cmd.Name())
	}
	return anyApps(cmd, args)
}

func noApps(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageOf(cmd, "%s takes no arguments", cmd.Name())
	}
	return nil
}
