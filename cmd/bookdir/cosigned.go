package bookdir

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// Cosigned is the newest checkpoint that enough of the book's witnesses cosigned.
type Cosigned struct {
	// Checkpoint is the checkpoint with its cosignatures.
	Checkpoint []byte
	// Head is what it signs.
	Head page.Head
	// At is when the last witness that the quorum needed cosigned it.
	At time.Time
}

func cosignedPath(dir string) string { return filepath.Join(dir, "cosigned") }

// ReadCosigned reads and checks the newest cosigned checkpoint that a book's
// folder holds; fs.ErrNotExist where it holds none.
func ReadCosigned(dir string, i Info) (Cosigned, error) {
	text, err := os.ReadFile(cosignedPath(dir))
	if err != nil {
		return Cosigned{}, fmt.Errorf("bookdir: the cosigned checkpoint: %w", err)
	}
	verifier, err := i.Verifier()
	if err != nil {
		return Cosigned{}, err
	}
	c := Cosigned{Checkpoint: text}
	if c.Head, err = verifier.Checkpoint(text); err != nil {
		return Cosigned{}, err
	}
	c.At, err = i.Witnesses().Check(text)
	return c, err
}
