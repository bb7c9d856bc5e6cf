package archive

import (
	"fmt"
	"strings"
	"time"
)

// Open gives the place that a text names: the path of a folder, or a URL as NewBucket
// reads it. now tells the time from which objects are locked. ErrPlace.
func Open(text string, now func() time.Time) (Place, error) {
	switch scheme, _, isURL := strings.Cut(text, "://"); {
	case text == "":
		return nil, fmt.Errorf("%w: it is empty", ErrPlace)
	case !isURL:
		return NewFolder(text)
	case scheme == "s3":
		return NewBucket(text, now)
	default:
		return nil, fmt.Errorf("%w: %q is neither the path of a folder nor s3://…", ErrPlace, scheme+"://…")
	}
}
