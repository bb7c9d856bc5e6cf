//go:build !unix

package jetstream

import (
	"errors"
	"fmt"
	"os"
)

// tryLock cannot keep a second process out here, so no server is run at all.
func tryLock(*os.File) error {
	return fmt.Errorf("take the lock: %w", errors.ErrUnsupported)
}
