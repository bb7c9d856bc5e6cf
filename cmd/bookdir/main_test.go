package bookdir

import (
	"os"
	"testing"

	"github.com/daybook-ledger/daybook/testing/compiled"
)

func TestMain(m *testing.M) {
	compiled.SQLite()
	code := m.Run()
	if shared.folder != "" {
		_ = os.RemoveAll(shared.folder)
	}
	os.Exit(code)
}
