package cockroach_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/cockroachdb/cockroach-go/v2/testserver"

	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// TestConformance runs the suite of views on a real CockroachDB: that of
// DAYBOOK_COCKROACH_URL, or one started from the program cockroach.
func TestConformance(t *testing.T) {
	url := os.Getenv("DAYBOOK_COCKROACH_URL")
	if url == "" {
		if _, err := exec.LookPath("cockroach"); err != nil {
			t.Skip("neither DAYBOOK_COCKROACH_URL nor the program cockroach is there: CockroachDB itself is not tested")
		}
		server, err := testserver.NewTestServer()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Stop()
		url = server.PGURL().String()
	}
	viewtest.Run(t, func(t *testing.T) viewtest.Engine { return engine(url, nil) })
}
