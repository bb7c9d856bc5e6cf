// Package page gives the log its form: a page is a signed tree head followed by
// the commits that it adds to the book's Merkle log. docs/FORMAT.md has the
// bytes.
//
// Page bytes:
//
//	u32 big-endian   length of the note
//	note             a signed note (C2SP signed-note, Ed25519), whose text is
//	                 "<origin>/page\n<size>\n<base64 root>\npage <number>\nafter <old size>\n"
//	                 signed under the key name "<origin>/page"
//	per commit:      u32 big-endian length, commit bytes
//
// The first line differs from a checkpoint's, so that no page signature can be
// passed off as a public checkpoint. A page may still lose the fence, so by
// itself it is evidence of nothing. A page without commits is a barrier.
//
// Every page and every checkpoint has one form only: what decodes without an
// error encodes to the same bytes again.
package page

import (
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// MaxBytes is the largest page, in bytes. A store may take less.
	MaxBytes = 8 << 20
	// MaxSize is the largest number of commits, and of pages, in a log: every
	// number in a head is exact in any language that has 64-bit floats.
	MaxSize = 1<<53 - 1
	// MaxOrigin is the longest origin, in bytes.
	MaxOrigin = 255
	// CommitOverhead is what a page holds for each commit besides its bytes.
	CommitOverhead = 4

	// MaxKeys is the largest number of keys that a log has, one after the other.
	MaxKeys = 1024

	// maxNote bounds a page's note: the origin twice, four numbers and hashes.
	maxNote = 1024
)

// Head is the state of a log after a page: what the page signs.
type Head struct {
	// Page is the number of the page, 0 before the first.
	Page uint64
	// Size is the number of commits in the log up to and with this page.
	Size uint64
	// Root is the Merkle tree hash (RFC 6962) over those commits. In an empty
	// log it is EmptyRoot.
	Root tlog.Hash
}

// EmptyRoot is the root of the tree without leaves: the SHA-256 of nothing.
var EmptyRoot = tlog.Hash(sha256.Sum256(nil))

// EmptyHead is the head of a log before its first page.
func EmptyHead() Head { return Head{Root: EmptyRoot} }

// Page is an opened page. It has been checked for form and signature; a Chain
// checks that it continues the log.
type Page struct {
	Head
	// OldSize is the number of commits before this page.
	OldSize uint64
	// Commits holds the stored bytes of each commit. They share the memory of
	// the body that was opened.
	Commits [][]byte
	// Key tells which of the log's keys signed the page, from 0.
	Key int
}

// Barrier reports whether the page adds no commits.
func (p Page) Barrier() bool { return len(p.Commits) == 0 }

// Leaves appends the leaf hash of each commit, in order, to into, which may be
// nil. It stays on one core: sharing out even a page of 512 KiB gained nothing
// measurable. Whoever reads many pages opens them side by side instead.
func (p Page) Leaves(into []tlog.Hash) []tlog.Hash {
	for _, c := range p.Commits {
		into = append(into, LeafHash(c))
	}
	return into
}

// EntryHash is the log entry of a commit: the SHA-256 of its stored bytes.
func EntryHash(commit []byte) [sha256.Size]byte { return sha256.Sum256(commit) }

// EntryLeaf is the RFC 6962 leaf hash of a log entry.
func EntryLeaf(entry [sha256.Size]byte) tlog.Hash {
	var leaf [1 + sha256.Size]byte // 0x00 marks a leaf
	copy(leaf[1:], entry[:])
	return sha256.Sum256(leaf[:])
}

// LeafHash is the leaf of a commit in the book's tree: the RFC 6962 leaf hash
// of the SHA-256 of the stored bytes.
func LeafHash(commit []byte) tlog.Hash { return EntryLeaf(EntryHash(commit)) }

// Room is the number of bytes that a page of this signer's log needs at most
// besides its commits and their CommitOverhead each: a page whose commits sum to
// no more than the limit less Room fits.
func (s *Signer) Room() int {
	const digits = 16 // of MaxSize
	const root, signature = 44, 92
	name := len(s.origin) + len(pageSuffix)
	text := name + 1 + digits + 1 + root + 1 + len("page ") + digits + 1 + len("after ") + digits + 1
	return 4 + text + 1 + len("— ") + name + 1 + signature + 1
}

// Page assembles and signs the page with head h that adds commits to a log of
// oldSize commits. h.Root must be the root after them: it is not recomputed. The
// commits are copied.
func (s *Signer) Page(h Head, oldSize uint64, commits [][]byte) ([]byte, error) {
	if err := checkHead(h, oldSize); err != nil {
		return nil, err
	}
	if h.Size-oldSize != uint64(len(commits)) {
		return nil, fail(ErrSize, h.Page, "%d commits between size %d and %d", len(commits), oldSize, h.Size)
	}
	note, err := s.page.sign(pageText(s.origin, h, oldSize))
	if err != nil {
		return nil, fail(ErrForm, h.Page, "signing: %v", err)
	}
	total := 4 + len(note)
	for i, c := range commits {
		if len(c) == 0 {
			return nil, fail(ErrForm, h.Page, "commit at position %d is empty", oldSize+uint64(i))
		}
		total += CommitOverhead + len(c)
	}
	if total > MaxBytes {
		return nil, fail(ErrForm, h.Page, "%d bytes, more than %d", total, MaxBytes)
	}
	body := make([]byte, 0, total)
	body = binary.BigEndian.AppendUint32(body, uint32(len(note)))
	body = append(body, note...)
	for _, c := range commits {
		body = binary.BigEndian.AppendUint32(body, uint32(len(c)))
		body = append(body, c...)
	}
	return body, nil
}

// Open reads a page and checks its form and its signature: ErrForm, ErrSignature,
// ErrKeyRange where the key does not sign at its size, or, where the page holds another number of commits than it signs, ErrSize.
// Whether it continues the log, and whether its commits are the ones that the
// root stands for, only a Chain can tell.
func (v *Verifier) Open(body []byte) (Page, error) {
	note, rest, err := cutNote(body)
	if err != nil {
		return Page{}, err
	}
	text, key, err := v.page.open(note)
	if err != nil {
		return Page{}, err
	}
	r := v.ranges[key]
	h, oldSize, err := parsePageText(r.Origin, text)
	if err != nil {
		return Page{}, err
	}
	if oldSize < r.From || h.Size > r.Until {
		return Page{}, fail(ErrKeyRange, h.Page, "leads from size %d to %d, and its key signs from %d to %d",
			oldSize, h.Size, r.From, r.Until)
	}
	commits, err := cutCommits(h, rest)
	if err != nil {
		return Page{}, err
	}
	if uint64(len(commits)) != h.Size-oldSize {
		return Page{}, fail(ErrSize, h.Page, "holds %d commits and signs %d", len(commits), h.Size-oldSize)
	}
	return Page{Head: h, OldSize: oldSize, Commits: commits, Key: key}, nil
}

// cutNote splits a page into its note and what follows.
func cutNote(body []byte) (note, rest []byte, err error) {
	if len(body) > MaxBytes {
		return nil, nil, fail(ErrForm, 0, "%d bytes, more than %d", len(body), MaxBytes)
	}
	if len(body) < 4 {
		return nil, nil, fail(ErrForm, 0, "%d bytes are no page", len(body))
	}
	n := binary.BigEndian.Uint32(body)
	body = body[4:]
	if n > maxNote || uint64(n) > uint64(len(body)) {
		return nil, nil, fail(ErrForm, 0, "a note of %d bytes", n)
	}
	return body[:n], body[n:], nil
}

// cutCommits splits what follows the note into commits.
func cutCommits(h Head, rest []byte) ([][]byte, error) {
	count := 0
	for at := rest; len(at) > 0; count++ {
		if len(at) < CommitOverhead {
			return nil, fail(ErrForm, h.Page, "%d bytes after the last commit", len(at))
		}
		n := uint64(binary.BigEndian.Uint32(at))
		at = at[CommitOverhead:]
		if n == 0 || n > uint64(len(at)) {
			return nil, fail(ErrForm, h.Page, "commit %d of the page claims %d of %d bytes", count+1, n, len(at))
		}
		at = at[n:]
	}
	if count == 0 {
		return nil, nil
	}
	commits := make([][]byte, 0, count)
	for at := rest; len(at) > 0; {
		n := CommitOverhead + int(binary.BigEndian.Uint32(at))
		commits = append(commits, at[CommitOverhead:n:n])
		at = at[n:]
	}
	return commits, nil
}

// checkHead refuses heads that no page of any log can have.
func checkHead(h Head, oldSize uint64) error {
	switch {
	case h.Page == 0 || h.Page > MaxSize:
		return fail(ErrForm, h.Page, "no page has this number")
	case h.Size > MaxSize || oldSize > h.Size:
		return fail(ErrForm, h.Page, "size %d after %d", h.Size, oldSize)
	case h.Size == 0 && h.Root != EmptyRoot:
		return fail(ErrForm, h.Page, "the root of an empty log is %v", h.Root)
	}
	return nil
}
