package main

import "github.com/spf13/cobra"

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{Use: "demo", Short: "x", RunE: a.do(func(*cobra.Command, []string) error { return nil })}
}
