package bookdir

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/ledger"
)

// minRoom is the free space, in bytes, below which no command is taken: what is
// under way must still fit, and JetStream does not answer once it does not.
const minRoom = 64 << 20

// CodeDiskFull is the code of the refusal for want of disk space.
const CodeDiskFull = "disk-full"

// roomy refuses commands while the disk is nearly full, when a clear answer can
// still be given.
type roomy struct {
	*ledger.Writer
	dir string
}

// Do implements ledger.Book.
func (r roomy) Do(ctx context.Context, e ledger.Envelope) (ledger.Receipt, error) {
	return r.Submit(ctx, e)()
}

// Submit implements ledger.Book.
func (r roomy) Submit(ctx context.Context, e ledger.Envelope) func() (ledger.Receipt, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(r.dir, &fs); err == nil {
		if free := fs.Bavail * uint64(fs.Bsize); free < minRoom {
			return func() (ledger.Receipt, error) {
				return ledger.Receipt{}, domain.Refuse(CodeDiskFull, "%d MiB are free where the book is, of at least %d that it needs",
					free>>20, minRoom>>20).WithHint("make room on the disk and repeat the command")
			}
		}
	}
	return r.Writer.Submit(ctx, e)
}
