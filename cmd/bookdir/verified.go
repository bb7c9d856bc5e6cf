package bookdir

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// verified is how far a verification came that found nothing: a convenience, in
// clear, like what counts events. Whoever may write to the folder may write it:
// only VerifyOptions.Resume believes it, and a deep one only where what it kept under
// its key says the same.
type verified struct {
	Page     uint64    `json:"page"`
	Size     uint64    `json:"size"`
	Root     tlog.Hash `json:"root"`
	Edge     []byte    `json:"edge"`
	Events   uint64    `json:"events"`
	Recorded int64     `json:"recorded"`
	// Streams is the SHA-256 of the file with the last revision of each stream.
	Streams []byte `json:"streams"`
	// Beside are the heads of those checkpoints beside the log that it was held against.
	Beside []page.Head `json:"beside,omitempty"`
}

func (v verified) head() page.Head { return page.Head{Page: v.Page, Size: v.Size, Root: v.Root} }

func (l *Log) verifiedPath() string { return filepath.Join(l.link.dir, "verified") }

// keep remembers how far the log is proved; found, unless nil, is told of gaps in
// streams. Where nothing can be written the next verification begins earlier.
func (v *verification) keep(found func(transparency.Failure)) error {
	gaps := 0
	tell := func(f transparency.Failure) {
		if gaps++; found != nil && gaps <= 1000 {
			found(f)
		}
	}
	if v.last == nil {
		if found == nil {
			return nil
		}
		return v.headers.revisions.check(nil, tell)
	}
	path := v.log.verifiedPath() + ".streams"
	base, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return v.headers.revisions.check(nil, tell) // the folder may not be written
	}
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(base, sum), 1<<16)
	err = errors.Join(v.headers.revisions.check(w, tell), w.Flush())
	if errors.Is(err, syscall.ENOSPC) && gaps == 0 { // nothing is kept, then
		return errors.Join(base.Close(), os.Remove(path+".new"), v.headers.revisions.check(nil, tell))
	}
	if err != nil || gaps > 0 {
		if gaps > 0 {
			v.withdraw()
		}
		return errors.Join(err, base.Close(), os.Remove(path+".new"))
	}
	if v.last.Edge, err = v.edge.MarshalBinary(); err != nil {
		return errors.Join(err, base.Close())
	}
	v.last.Streams, v.last.Beside = sum.Sum(nil), nil
	for _, e := range v.beside {
		if e.Size <= v.last.Size {
			v.last.Beside = append(v.last.Beside, e.Head)
		}
	}
	data, err := json.Marshal(v.last)
	if err != nil {
		return errors.Join(err, base.Close())
	}
	if os.Rename(path+".new", path) == nil {
		_ = writeDurably(v.log.verifiedPath(), append(data, '\n'), 0o600)
	}
	v.kept = time.Now()
	if err := v.headers.revisions.rebase(base); err != nil || v.options.Deep == nil {
		return err
	}
	return v.options.Deep.write(v.last.Size, v.last)
}

// withdraw forgets what an earlier verification remembered, once this one has found
// something: that may lie before it, where the next would not look again. A deep one
// believes nothing without it. Where it cannot be removed, the folder is believed.
func (v *verification) withdraw() { _ = os.Remove(v.log.verifiedPath()) }

// resume gives where an earlier verification came, or the beginning of the log
// where that is not wanted, not known, or after a head that is expected, unless that
// is of a checkpoint beside the log which the earlier one held it against.
func (v *verification) resume(expected []transparency.Expectation) (verified, page.Edge) {
	var k verified
	var edge page.Edge
	data, err := os.ReadFile(v.log.verifiedPath())
	if !v.options.Resume || err != nil || json.Unmarshal(data, &k) != nil || edge.UnmarshalBinary(k.Edge) != nil {
		return verified{}, page.Edge{}
	}
	early := slices.ContainsFunc(expected, func(e transparency.Expectation) bool {
		return e.Page == 0 && e.Size < k.Size && !(slices.Contains(v.beside, e) && slices.Contains(k.Beside, e.Head))
	})
	if early || edge.Check(k.head()) != nil || v.receipts.before(k.Size) {
		return verified{}, page.Edge{}
	}
	base, err := os.Open(v.log.verifiedPath() + ".streams")
	if err != nil {
		return verified{}, page.Edge{}
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, base); err != nil || !slices.Equal(sum.Sum(nil), k.Streams) {
		_ = base.Close()
		return verified{}, page.Edge{}
	}
	v.headers.revisions.base = base
	v.headers.events, v.headers.recorded = k.Events, k.Recorded
	return k, edge
}

// keepEvery is how often a verification remembers how far it has come.
const keepEvery = 30 * time.Second

// every is how often it is remembered how far the verification has come.
func (v *verification) every() time.Duration {
	if v.options.keepEvery > 0 {
		return v.options.keepEvery
	}
	return keepEvery
}
