package bookdir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

const (
	// CodeRingShort: the archived ring lacks keys that the archived pages use.
	CodeRingShort = "ring-short"
	// CodeUnproved: no checkpoint that counts is over all of the archived log.
	CodeUnproved = "archive-unproved"
)

// ArchivedLog is a log in an archive, as its names tell it.
type ArchivedLog struct {
	Origin   string
	Segments []archive.Segment
	// Pages is up to which page the segments have no gap.
	Pages uint64
}

// ArchivedLogs lists what lies in a place, ErrNoLog where there is nothing. It needs no
// key.
func ArchivedLogs(ctx context.Context, p archive.Place) ([]ArchivedLog, error) {
	origins, err := archive.Logs(ctx, p)
	if err == nil && len(origins) == 0 {
		err = fmt.Errorf("%w: %s", ErrNoLog, p)
	}
	if err != nil {
		return nil, err
	}
	found := make([]ArchivedLog, 0, len(origins))
	for _, origin := range origins {
		all, err := archive.Log{Place: p, Origin: origin}.Segments(ctx)
		if err != nil {
			return nil, err
		}
		_, pages := archive.Cover(all, 1)
		found = append(found, ArchivedLog{origin, all, pages})
	}
	return found, nil
}

// Checkpoint is a checkpoint as it was signed, which was kept in a file elsewhere
// and which a log must have.
type Checkpoint struct {
	File   string
	Signed []byte
}

// Expect checks by itself that a checkpoint is of a log, and gives what that must
// have.
func (c Checkpoint) Expect(v *page.Verifier) (transparency.Expectation, error) {
	h, err := v.Checkpoint(c.Signed)
	if err != nil {
		return transparency.Expectation{}, fmt.Errorf("%s: %w", c.File, err)
	}
	return transparency.Expectation{Head: h, Whose: "the checkpoint in " + c.File}, nil
}

// ArchiveCheck checks an archive.
type ArchiveCheck struct {
	From       archive.Place
	Origin     string // as in Restore
	Identities archive.Identities
	Trust      []byte // as in Restore
	// Expected are checkpoints that the log must have.
	Expected []Checkpoint
	Log      *slog.Logger
	// Progress may be nil.
	Progress func(pages, of uint64)
}

// ArchiveReport is what a check of an archive found.
type ArchiveReport struct {
	Report
	Origin   string
	Segments int
	// Keys is how many keys the archived ring has.
	Keys int
	// Unaccounted is as in Restored.
	Unaccounted []Unaccounted
}

// Do reads a whole archive, and checks it as Verify does a log; and that the ring
// opens, whole, and has every key that the pages use.
func (c ArchiveCheck) Do(ctx context.Context) (ArchiveReport, error) {
	from, err := openArchive(ctx, c.From, c.Origin, c.Trust)
	if err != nil {
		return ArchiveReport{}, err
	}
	reader, err := from.open(ctx, c.Identities, from.verifier)
	if err != nil {
		return ArchiveReport{}, err
	}
	if len(reader.Segments()) == 0 {
		return ArchiveReport{}, fmt.Errorf("%w: %s has no page of %s", ErrNoLog, c.From, from.info.Origin)
	}
	done := ArchiveReport{Origin: from.info.Origin, Segments: len(reader.Segments())}
	var found []transparency.Failure
	done.Keys, err = checkRing(ctx, from.log, c.Identities)
	switch {
	case errors.Is(err, archive.ErrIdentity), errors.Is(err, archive.ErrUnreachable), errors.Is(err, archive.ErrDenied):
		return done, err
	case err != nil:
		found = append(found, transparency.Failure{Code: codeRing, What: strings.TrimPrefix(strings.TrimPrefix(err.Error(), "keyring: "), "archive: ")})
	}
	v := &verification{
		log: &Log{Info: from.info, Store: nil, Verifier: from.verifier}, options: VerifyOptions{Unkept: true},
		headers: headerCheck{info: from.info, epoch: from.verifier.Epoch}, found: found,
	}
	defer v.headers.revisions.close()
	expected, earlier, err := expectations(from, c.Expected)
	if err != nil {
		return done, err
	}
	var opened [][]byte
	newestKey := keyring.KeyID(0)
	v.report.Report, err = transparency.Verify(ctx, reader, from.verifier, transparency.Options{
		Expected: expected, Prepare: v.prepare, Progress: c.Progress,
		Commit: func(leaf transparency.Leaf) error {
			newestKey = max(newestKey, keysOf(leaf.Stored))
			if leaf.Position > 0 && from.verifier.Epoch(leaf.Position) != from.verifier.Epoch(leaf.Position-1) {
				opened = append(opened, bytes.Clone(leaf.Stored))
			}
			return v.commit(leaf)
		},
		Proved: func(h page.Head, edge func() page.Edge) error {
			if reader.Contradicts(h) {
				v.found = append(v.found, transparency.Failure{
					Page: h.Page, Position: h.Size, Code: transparency.CodeContradiction,
					What: "the archive has another root at this size than a checkpoint in it says",
				})
			}
			return v.proved(h, edge)
		},
	})
	if err != nil {
		return done, err
	}
	if done.Unaccounted, err = from.unaccounted(ctx, c.Identities, opened, earlier, c.Log); err != nil {
		return done, err
	}
	for _, u := range done.Unaccounted {
		if slices.ContainsFunc(earlier, func(e Unaccounted) bool { return e.Origin == u.Origin && e.To > u.From }) {
			v.found = append(v.found, transparency.Failure{Code: CodeLoss, Position: u.From, What: fmt.Sprintf(
				"the checkpoint given is of an earlier epoch, which acknowledged more than the next goes on from: %s", u)})
		}
	}
	newest, err := reader.Latest(ctx)
	switch {
	case err != nil:
		return done, err
	case newest.Size > v.report.Size:
		v.found = append(v.found, transparency.Failure{Code: CodeShort, Position: v.report.Size, What: fmt.Sprintf(
			"the archive ends at size %d, and a checkpoint in it is of size %d", v.report.Size, newest.Size)})
	case newest.Size < v.report.Size && !slices.ContainsFunc(expected, func(e transparency.Expectation) bool { return e.Size >= v.report.Size }):
		v.found = append(v.found, transparency.Failure{Code: CodeUnproved, Position: newest.Size, What: fmt.Sprintf(
			"the archive ends at size %d, and the newest checkpoint in it that counts is of size %d", v.report.Size, newest.Size)})
	}
	if done.Keys > 0 && int(newestKey) > done.Keys {
		v.found = append(v.found, transparency.Failure{Code: CodeRingShort, What: fmt.Sprintf(
			"the archived ring has %d keys, and the log uses key %d", done.Keys, newestKey)})
	}
	if err := v.headers.revisions.check(nil, func(f transparency.Failure) { v.found = append(v.found, f) }); err != nil {
		return done, err
	}
	done.Report = v.end()
	return done, nil
}

const codeRing = "ring-damaged"

// checkRing opens every key of an archived ring.
func checkRing(ctx context.Context, l archive.Log, ids archive.Identities) (int, error) {
	copied, err := l.OpenRing(ctx, ids)
	if err != nil {
		return 0, err
	}
	defer clear(copied.Root)
	return copied.Check()
}

// keysOf is the highest key that a commit uses.
func keysOf(stored []byte) keyring.KeyID {
	sealed, err := seal.Parse(stored)
	if err != nil {
		return 0
	}
	highest := keyring.KeyID(0)
	for _, s := range sealed.Header.Sections {
		highest = max(highest, keyring.KeyID(s.Key))
	}
	return highest
}

// Pruned is what a pruning removed.
type Pruned struct {
	// Merged is how many small segments were written anew as Into larger ones.
	Merged, Into int
	// Removed is how many segments were removed, the merged ones among them.
	Removed int
}

// Prune brings a book's archive up to date, and makes it smaller without losing a page:
// it writes runs of small segments anew as larger ones, from the book's own log, and
// removes every segment whose pages others have. What is written anew is under a
// checkpoint of now, which counts only over all that was signed before.
func (b *Book) Prune(ctx context.Context) (done Pruned, err error) {
	err = b.retry(ctx, func() error {
		return b.current().upToDate(ctx, func(r *backup, to page.Head) error {
			if _, err := r.run(ctx, to, nil); err != nil {
				return err
			}
			return r.prune(ctx, &done)
		})
	})
	return done, err
}

// prune adds what it does to what was done before.
func (r *backup) prune(ctx context.Context, done *Pruned) error {
	all, err := r.writer.Segments(ctx)
	if err != nil {
		return err
	}
	chosen, _ := archive.Cover(all, 1)
	for _, run := range runs(chosen) {
		into, err := r.merge(ctx, run)
		if err != nil {
			return err
		}
		if into < len(run) {
			done.Merged, done.Into = done.Merged+len(run), done.Into+into
		}
	}
	if all, err = r.writer.Segments(ctx); err != nil {
		return err
	}
	needed := map[archive.Segment]bool{}
	chosen, _ = archive.Cover(all, 1)
	for _, s := range chosen {
		needed[s] = true
	}
	for _, s := range all {
		if needed[s] || s.Last > r.archive.Page {
			continue
		}
		if err := r.writer.Remove(ctx, s); err != nil {
			return err
		}
		done.Removed++
	}
	return nil
}

// smallPages is how many pages a segment has at most that is worth merging.
const smallPages = 256

// runs gives the runs of two or more small segments that follow one another.
func runs(chosen []archive.Segment) (found [][]archive.Segment) {
	var run []archive.Segment
	end := func() {
		if len(run) > 1 {
			found = append(found, run)
		}
		run = nil
	}
	for _, s := range chosen {
		if s.Last-s.First >= smallPages {
			end()
			continue
		}
		run = append(run, s)
	}
	end()
	return found
}

// merge writes the pages of a run of segments anew, and gives as how many.
func (r *backup) merge(ctx context.Context, run []archive.Segment) (into int, err error) {
	log, err := r.log()
	if err != nil {
		return 0, err
	}
	from := page.EmptyHead()
	if run[0].First > 1 {
		if from, err = log.Head(ctx, run[0].First-1); err != nil {
			return 0, err
		}
	}
	to, err := log.Head(ctx, run[len(run)-1].Last)
	if err != nil {
		return 0, err
	}
	checkpoint, err := r.link.signs.Checkpoint(r.archive.head())
	if err != nil {
		return 0, err
	}
	err = r.writer.Pages(ctx, log.Store, log.Verifier, from, to, checkpoint, func(page.Head) error { into++; return nil })
	return into, err
}

// EarlierArchived gives the logs of earlier epochs of the book that lie in its
// archive.
func (b *Book) EarlierArchived(ctx context.Context) (origins []string, err error) {
	err = b.current().earlier(ctx, func(l archive.Log) error {
		origins = append(origins, l.Origin)
		return nil
	})
	return origins, err
}

// PruneEarlier brings the archive up to date, and removes from it the logs of
// earlier epochs, with their keys: what was brought back of them is in the present
// one, and the rest is lost for good. It gives those that it removed.
func (b *Book) PruneEarlier(ctx context.Context) (origins []string, err error) {
	if _, err := b.Backup(ctx, nil); err != nil {
		return nil, err
	}
	err = b.current().earlier(ctx, func(l archive.Log) error {
		err := l.RemoveAll(ctx)
		if err == nil {
			origins = append(origins, l.Origin)
		}
		return err
	})
	return origins, err
}

// earlier calls f for each log of an earlier epoch in the archive.
func (l *link) earlier(ctx context.Context, f func(archive.Log) error) error {
	return l.locked(ctx, func(r *backup) error {
		if l.info.list == nil {
			return nil
		}
		there, err := archive.Logs(ctx, r.writer.Place)
		if err != nil {
			return err
		}
		done := map[string]bool{l.info.Origin: true}
		for _, k := range l.info.list.Keys {
			if done[k.Origin] || !slices.Contains(there, k.Origin) {
				continue
			}
			done[k.Origin] = true
			if err := f(archive.Log{Place: r.writer.Place, Origin: k.Origin}); err != nil {
				return err
			}
		}
		return nil
	})
}
