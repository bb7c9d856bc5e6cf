// Package bundle is evidence in one file: commits of a log, the proofs that they
// are in it, the checkpoint that the proofs lead to, the signed list of the keys
// that sign the log, and, where their owner chose so, the secrets that open single
// sections. docs/FORMAT.md has the bytes. Whoever has the book's list of keys
// checks it without a book, a network or any other key.
package bundle

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

const (
	// Version is the form that this package writes, and the only one it reads.
	Version = "daybook/bundle/1"
	// MaxSize is the largest bundle, in bytes.
	MaxSize = 256 << 20

	maxProof = 53
)

var (
	// ErrForm: the bytes are not a bundle in its one form.
	ErrForm = &transparency.Error{Code: "bundle-form"}
	// ErrProof: a commit is not proved to be in the log, or does not stand where
	// the bundle says.
	ErrProof = &transparency.Error{Code: "bundle-proof"}
	// ErrSecret: a secret does not open its section.
	ErrSecret = &transparency.Error{Code: "bundle-secret"}
)

func fail(kind *transparency.Error, format string, args ...any) error {
	return &transparency.Error{Code: kind.Code, What: fmt.Sprintf(format, args...)}
}

// Bundle is the content of a file. Commits stand in the order of positions,
// secrets in that of positions and sections.
type Bundle struct {
	_       struct{} `cbor:",toarray"`
	Version string
	// About names the stream that it is about; it proves nothing.
	About string
	// Keys is the log's list of keys as it is signed, Checkpoint the checkpoint
	// with its cosignatures.
	Keys       []byte
	Checkpoint []byte
	Commits    []Commit
	Secrets    []Secret
}

// Commit is a stored commit and the proof that it is in the log.
type Commit struct {
	_        struct{} `cbor:",toarray"`
	Position uint64
	Stored   []byte
	Proof    []tlog.Hash
}

// Secret opens one section of one commit of the bundle.
type Secret struct {
	_        struct{} `cbor:",toarray"`
	Position uint64
	Section  uint64
	Secret   []byte
}

var (
	encoding = must(cbor.CoreDetEncOptions().EncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxArrayElements: 1 << 20, MaxNestedLevels: 8, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // options that are constant
	}
	return v
}

// Marshal gives the bytes of the file.
func (b Bundle) Marshal() ([]byte, error) {
	b.Version = Version
	if err := b.check(); err != nil {
		return nil, err
	}
	data, err := encoding.Marshal(b)
	if err == nil && len(data) > MaxSize {
		err = fail(ErrForm, "%d bytes, more than %d", len(data), MaxSize)
	}
	return data, err
}

// check refuses what no bundle holds: commits or secrets out of order or twice,
// secrets of commits that are not there.
func (b Bundle) check() error {
	if b.Version != Version || len(b.About) > 256 || len(b.Commits) == 0 || b.Commits == nil || b.Secrets == nil {
		return fail(ErrForm, "not a %s with commits", Version)
	}
	for i, c := range b.Commits {
		if i > 0 && c.Position <= b.Commits[i-1].Position || len(c.Proof) > maxProof || c.Proof == nil {
			return fail(ErrForm, "the commit at position %d is out of order, or its proof too long", c.Position)
		}
	}
	for i, s := range b.Secrets {
		if i > 0 && compareSecrets(b.Secrets[i-1], s) >= 0 || len(s.Secret) != seal.SecretSize || b.at(s.Position) == nil {
			return fail(ErrForm, "the secret of section %d at position %d is out of order, or of no commit here", s.Section, s.Position)
		}
	}
	return nil
}

func compareSecrets(a, b Secret) int {
	return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Section, b.Section))
}

// at gives the commit at a position, nil if there is none.
func (b Bundle) at(position uint64) *Commit {
	i, found := slices.BinarySearchFunc(b.Commits, position, func(c Commit, p uint64) int { return cmp.Compare(c.Position, p) })
	if !found {
		return nil
	}
	return &b.Commits[i]
}

// Parse reads what Marshal gives, and only that. It proves nothing.
func Parse(data []byte) (Bundle, error) {
	if len(data) > MaxSize {
		return Bundle{}, fail(ErrForm, "%d bytes, more than %d", len(data), MaxSize)
	}
	var b Bundle
	if err := decoding.Unmarshal(data, &b); err != nil {
		return Bundle{}, fail(ErrForm, "%v", err)
	}
	if err := b.check(); err != nil {
		return Bundle{}, err
	}
	if again, err := encoding.Marshal(b); err != nil || !bytes.Equal(again, data) {
		return Bundle{}, fail(ErrForm, "the bundle is not in its one form")
	}
	return b, nil
}

// Verified is what a bundle proves.
type Verified struct {
	// Keys is the newest list of keys that the trusted one leads to.
	Keys transparency.KeyList
	// Head is the checkpoint's, and Cosigned when the quorum of witnesses had
	// cosigned it; zero where the log has none, or too few did.
	Head     page.Head
	Cosigned time.Time
	Commits  []Proved
}

// Proved is a commit that is proved to be in the log at its position.
type Proved struct {
	Position uint64
	Entry    [32]byte
	Sealed   seal.Sealed
	// Opened are the contents of the sections whose secrets the bundle holds.
	Opened map[int][]byte
}

// Verify checks everything: the list of keys against the trusted one, the
// checkpoint, every proof, every commit's form and place, and that every secret
// opens its section.
func (b Bundle) Verify(trusted transparency.KeyList) (Verified, error) {
	given, err := transparency.ParseKeyList(b.Keys)
	if err != nil {
		return Verified{}, err
	}
	var v Verified
	if v.Keys, err = trusted.Follow(given); err != nil {
		return Verified{}, err
	}
	verifier, err := v.Keys.Verifier()
	if err != nil {
		return Verified{}, err
	}
	if v.Head, err = verifier.Checkpoint(b.Checkpoint); err != nil {
		return Verified{}, err
	}
	v.Cosigned, err = v.Keys.Check(b.Checkpoint)
	if err != nil && !errors.Is(err, transparency.ErrQuorum) {
		return Verified{}, err
	}
	for _, c := range b.Commits {
		p, err := c.prove(v.Head)
		if err != nil {
			return Verified{}, err
		}
		v.Commits = append(v.Commits, p)
	}
	return v, b.open(v.Commits)
}

// prove checks one commit against the checkpoint.
func (c Commit) prove(h page.Head) (Proved, error) {
	p := Proved{Position: c.Position, Entry: page.EntryHash(c.Stored), Opened: map[int][]byte{}}
	if c.Position >= h.Size {
		return p, fail(ErrProof, "position %d is not in a log of %d", c.Position, h.Size)
	}
	if err := tlog.CheckRecord(c.Proof, int64(h.Size), h.Root, int64(c.Position), page.EntryLeaf(p.Entry)); err != nil {
		return p, fail(ErrProof, "position %d: %v", c.Position, err)
	}
	var err error
	if p.Sealed, err = seal.Parse(c.Stored); err != nil {
		return p, fail(ErrProof, "position %d: %v", c.Position, err)
	}
	if p.Sealed.Header.Position != c.Position {
		return p, fail(ErrProof, "the commit says that it is at position %d, and stands at %d", p.Sealed.Header.Position, c.Position)
	}
	return p, nil
}

// open opens the sections whose secrets the bundle holds.
func (b Bundle) open(commits []Proved) error {
	for _, s := range b.Secrets {
		i, _ := slices.BinarySearchFunc(commits, s.Position, func(p Proved, at uint64) int { return cmp.Compare(p.Position, at) })
		plain, err := commits[i].Sealed.OpenDisclosed(int(min(s.Section, seal.MaxSections)), s.Secret)
		if err != nil {
			return fail(ErrSecret, "section %d at position %d: %v", s.Section, s.Position, err)
		}
		commits[i].Opened[int(s.Section)] = plain
	}
	return nil
}
