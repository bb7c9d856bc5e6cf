package bookdir

import (
	"os"
	"testing"

	"github.com/daybook-ledger/daybook/testing/compiled"
)

func TestMain(m *testing.M) {
	compiled.SQLite()
	os.Exit(m.Run())
}
