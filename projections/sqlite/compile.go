package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/embed" // the SQLite build
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// memoryPages bounds the memory of one connection: 4,096 pages of 64 KiB.
const memoryPages = 4096

var compiling struct {
	once sync.Once
	err  error
}

// Compile makes SQLite ready, which takes about a second the first time and 30
// ms from then on, because what was compiled is kept in the folder cache. The
// folder is created for its owner alone; one that others can write to, and one
// that cannot be used, is left alone, for whoever writes there decides what this
// process runs. Empty means no cache.
//
// Only the first call in a process counts. It should come before anything opens
// a SQLite file, and may run beside other work; opening a file waits for it.
func Compile(cache string) error {
	compiling.once.Do(func() {
		sqlite3.RuntimeConfig = runtimeConfig(cache)
		if err := sqlite3.Initialize(); err != nil {
			compiling.err = fmt.Errorf("sqlite: compile: %w", err)
		}
	})
	return compiling.err
}

func runtimeConfig(cache string) wazero.RuntimeConfig {
	config := wazero.NewRuntimeConfig().
		WithMemoryLimitPages(memoryPages).
		WithCoreFeatures(api.CoreFeaturesV2)
	if cache == "" || !private(cache) {
		return config
	}
	kept, err := wazero.NewCompilationCacheWithDir(filepath.Join(cache, "sqlite"))
	if err != nil {
		return config
	}
	return config.WithCompilationCache(kept)
}

// private makes the folder where it is missing and reports whether it is its
// owner's alone to change.
func private(dir string) bool {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false
	}
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && ours(info)
}
