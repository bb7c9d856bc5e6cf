package transparency

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// The kinds of errors of receipts; both have stable codes. What is wrong with a
// receipt's checkpoint is told by package page's errors.
var (
	// ErrReceiptForm: the text is not a receipt.
	ErrReceiptForm = &Error{Code: "receipt-form"}
	// ErrReceiptProof: the receipt does not prove that the commit is in the log.
	ErrReceiptProof = &Error{Code: "receipt-proof"}
)

// Error is what is wrong with a receipt. errors.Is compares the code alone.
type Error struct {
	// Code is stable, such as "receipt-proof".
	Code string
	// What says in words what was found.
	What string
}

func (e *Error) Error() string {
	if e.What == "" {
		return e.Code
	}
	return e.Code + ": " + e.What
}

// Is reports whether target is an *Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

func fail(kind *Error, format string, args ...any) error {
	return &Error{Code: kind.Code, What: fmt.Sprintf(format, args...)}
}

const (
	// MaxReceipt is the longest receipt, in bytes.
	MaxReceipt = page.MaxCheckpoint + 4<<10

	receiptMagic = "c2sp.org/tlog-proof@v1"
	extraPrefix  = "extra "
	indexPrefix  = "index "
	// maxProof is the height of the tallest tree that a log can have.
	maxProof = 53
)

// Receipt proves, to whoever knows the log's key and without asking anyone, that
// a commit is in the log.
type Receipt struct {
	// Position of the commit in the log, from 0.
	Position uint64
	// Entry is the SHA-256 of the commit's stored bytes.
	Entry [sha256.Size]byte
	// Proof is the RFC 6962 inclusion proof at the checkpoint's size.
	Proof tlog.RecordProof
	// Checkpoint is the signed tree head (C2SP tlog-checkpoint), verbatim.
	Checkpoint []byte
}

// NewReceipt makes the receipt of the commit with this entry at this position,
// under a checkpoint of the tree at a size. ErrTreeDamaged when the tree holds
// another commit there.
func NewReceipt(t *Tree, position uint64, entry [sha256.Size]byte, size uint64, checkpoint []byte) (Receipt, error) {
	proof, err := t.ProveRecord(position, size)
	if err != nil {
		return Receipt{}, err
	}
	leaf, err := t.Leaf(position)
	if err != nil {
		return Receipt{}, err
	}
	if leaf != page.EntryLeaf(entry) {
		return Receipt{}, fmt.Errorf("%w: another commit stands at position %d", ErrTreeDamaged, position)
	}
	return Receipt{Position: position, Entry: entry, Proof: proof, Checkpoint: checkpoint}, nil
}

// Marshal gives the C2SP tlog-proof form, a text. The entry is its extra data.
func (r Receipt) Marshal() ([]byte, error) {
	if r.Position > page.MaxSize || len(r.Proof) > maxProof {
		return nil, fail(ErrReceiptForm, "position %d with a proof of %d hashes", r.Position, len(r.Proof))
	}
	if err := checkNote(r.Checkpoint); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(receiptMagic + "\n" + extraPrefix)
	b.WriteString(base64.StdEncoding.EncodeToString(r.Entry[:]))
	b.WriteString("\n" + indexPrefix)
	b.WriteString(strconv.FormatUint(r.Position, 10))
	b.WriteByte('\n')
	for _, h := range r.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.Write(r.Checkpoint)
	return b.Bytes(), nil
}

// IsReceipt reports whether a text begins as receipts do, and so is no checkpoint.
func IsReceipt(text []byte) bool { return bytes.HasPrefix(text, []byte(receiptMagic+"\n")) }

// ParseReceipt reads the form that Marshal gives, and only that: marshalling the
// result gives the same bytes. It checks nothing else; see Verify.
func ParseReceipt(text []byte) (Receipt, error) {
	if len(text) > MaxReceipt {
		return Receipt{}, fail(ErrReceiptForm, "%d bytes, more than %d", len(text), MaxReceipt)
	}
	proof, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(proof), "\n")
	if !found || len(lines) < 3 || len(lines) > 3+maxProof || lines[0] != receiptMagic {
		return Receipt{}, fail(ErrReceiptForm, "not a %s with an entry as its extra data", receiptMagic)
	}
	entry, err := tlog.ParseHash(strings.TrimPrefix(lines[1], extraPrefix))
	if err != nil {
		return Receipt{}, fail(ErrReceiptForm, "the extra line holds no entry: %v", err)
	}
	position, err := strconv.ParseUint(strings.TrimPrefix(lines[2], indexPrefix), 10, 64)
	if err != nil {
		return Receipt{}, fail(ErrReceiptForm, "the index line holds no position: %v", err)
	}
	r := Receipt{
		Position: position, Entry: entry,
		Proof: tlog.RecordProof{}, Checkpoint: bytes.Clone(checkpoint),
	}
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return Receipt{}, fail(ErrReceiptForm, "a proof line holds no hash: %v", err)
		}
		r.Proof = append(r.Proof, h)
	}
	if again, err := r.Marshal(); err != nil {
		return Receipt{}, err
	} else if !bytes.Equal(again, text) {
		return Receipt{}, fail(ErrReceiptForm, "the receipt is not in its one form")
	}
	return r, nil
}

// Verify checks that the checkpoint is signed by the log and that the entry is
// in the log that it stands for, and gives the checkpoint's size and root.
// Errors: ErrReceiptProof, page.ErrCheckpointForm, page.ErrCheckpointSignature.
func (r Receipt) Verify(v *page.Verifier) (page.Head, error) {
	h, err := v.Checkpoint(r.Checkpoint)
	if err != nil {
		return page.Head{}, err
	}
	if r.Position >= h.Size {
		return page.Head{}, fail(ErrReceiptProof, "position %d is not in a log of %d", r.Position, h.Size)
	}
	leaf := page.EntryLeaf(r.Entry)
	if err := tlog.CheckRecord(r.Proof, int64(h.Size), h.Root, int64(r.Position), leaf); err != nil {
		return page.Head{}, fail(ErrReceiptProof, "position %d in a log of %d: %v", r.Position, h.Size, err)
	}
	return h, nil
}

// VerifyCommit does what Verify does, and checks that the receipt is for a
// commit of these stored bytes.
func (r Receipt) VerifyCommit(v *page.Verifier, commit []byte) (page.Head, error) {
	if page.EntryHash(commit) != r.Entry {
		return page.Head{}, fail(ErrReceiptProof, "the receipt at position %d is for another commit", r.Position)
	}
	return r.Verify(v)
}

// checkNote refuses checkpoints that a receipt cannot hold.
func checkNote(checkpoint []byte) error {
	switch {
	case len(checkpoint) == 0 || len(checkpoint) > page.MaxCheckpoint:
		return fail(ErrReceiptForm, "a checkpoint of %d bytes", len(checkpoint))
	case checkpoint[len(checkpoint)-1] != '\n' || checkpoint[0] == '\n':
		return fail(ErrReceiptForm, "the checkpoint does not begin or end as a note does")
	}
	return nil
}

// Code is the stable code of an error of this package or of package page, and
// false for any other error.
func Code(err error) (string, bool) {
	var ours *Error
	var theirs *page.Error
	switch {
	case errors.As(err, &ours):
		return ours.Code, true
	case errors.As(err, &theirs):
		return theirs.Code, true
	}
	return "", false
}
