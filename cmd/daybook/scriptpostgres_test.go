package main

import (
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/daybook-ledger/daybook/testing/pgserver"
)

// databases are the servers of scripts, by their folder.
var databases sync.Map

// database starts or stops the script's PostgreSQL server. It stands for a
// database that goes away and comes back, with what it holds.
func database(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: postgres start|stop")
	}
	known, running := databases.Load(ts.MkAbs("."))
	switch {
	case args[0] == "start" && !running:
		server, err := pgserver.Start()
		ts.Check(err)
		databases.Store(ts.MkAbs("."), server)
		ts.Defer(func() { _ = server.Stop() })
		ts.Setenv("PGURL", server.URL("postgres"))
	case args[0] == "start":
		ts.Check(known.(*pgserver.Server).Restart())
	case args[0] == "stop" && running:
		ts.Check(known.(*pgserver.Server).Kill())
	default:
		ts.Fatalf("usage: postgres start|stop")
	}
}
