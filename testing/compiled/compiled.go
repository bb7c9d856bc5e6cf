// Package compiled spares tests the compilation of SQLite, which takes many
// seconds under the race detector: it is kept between test processes.
package compiled

import (
	"os"
	"path/filepath"

	"github.com/daybook-ledger/daybook/projections/sqlite"
)

// SQLite makes SQLite ready. Call it in TestMain before anything opens a file.
func SQLite() {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	if err := sqlite.Compile(filepath.Join(cache, "daybook-test")); err != nil {
		panic(err)
	}
}
