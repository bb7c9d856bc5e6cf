package archive

import (
	"fmt"
	"strings"
)

// Open gives the place that a text names: the path of a folder.
func Open(text string) (Place, error) {
	if text == "" || strings.Contains(text, "://") {
		return nil, fmt.Errorf("%w: %q is not the path of a folder", ErrPlace, text)
	}
	return NewFolder(text)
}
