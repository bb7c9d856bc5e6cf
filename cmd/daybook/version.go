package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Tell which version this is",
		Args:  cobra.NoArgs,
		RunE: a.do(func(*cobra.Command, []string) error {
			built := version
			if info, ok := debug.ReadBuildInfo(); ok && built == "" {
				built = info.Main.Version
			}
			built = cmp.Or(built, "unknown")
			answer := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
			}{built, runtime.Version()}
			return a.answer(answer, func(w io.Writer) { fmt.Fprintf(w, "daybook %s (%s)\n", answer.Version, answer.Go) })
		}),
	}
}
