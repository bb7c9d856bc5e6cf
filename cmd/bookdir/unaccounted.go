package bookdir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// Unaccounted are commits that an earlier epoch of a log acknowledged beyond the size
// from which the next goes on, and of which no epoch says that they are lost: the old
// book went on after it was thought dead.
type Unaccounted struct {
	Origin string
	// From and To are sizes: the commits from the position of the first on, up to the
	// second.
	From, To uint64
	// Newest is the newest state of that epoch that is known.
	Newest page.Head
}

// Commits is how many they are.
func (u Unaccounted) Commits() uint64 { return u.To - u.From }

func (u Unaccounted) String() string {
	return fmt.Sprintf("positions %d to %d of %s", u.From, u.To-1, u.Origin)
}

// epochEnd is the size at which an origin of a list gives way to the next.
func epochEnd(list *transparency.KeyList, origin string) (size uint64) {
	for _, k := range list.Keys {
		if k.Origin == origin {
			size = k.Until
		}
	}
	return size
}

// earlierOrigins are those of a log before the newest, the oldest first.
func earlierOrigins(list *transparency.KeyList) (origins []string) {
	for _, k := range list.Keys {
		if k.Origin != list.Origin && !slices.Contains(origins, k.Origin) {
			origins = append(origins, k.Origin)
		}
	}
	return origins
}

// signedBeyond reads a checkpoint by the last key of an earlier epoch, of a size beyond
// the end of that.
func signedBeyond(list *transparency.KeyList, text []byte) (Unaccounted, bool) {
	for _, origin := range earlierOrigins(list) {
		last := 0
		for i, k := range list.Keys {
			if k.Origin == origin {
				last = i
			}
		}
		keys := slices.Clone(list.Keys[:last+1])
		keys[last].Until, keys[last].Counts = page.MaxSize, page.MaxSize
		v, err := page.NewVerifier(origin, keys...)
		if err != nil {
			continue
		}
		if h, err := v.Checkpoint(text); err == nil {
			return Unaccounted{Origin: origin, From: epochEnd(list, origin), To: h.Size, Newest: h}, true
		}
	}
	return Unaccounted{}, false
}

// expectations reads checkpoints that a log must have, and apart from them those that
// an earlier epoch of it signed beyond its end.
func expectations(from archivedLog, given []Checkpoint) (expected []transparency.Expectation, beyond []Unaccounted, err error) {
	for _, c := range given {
		e, err := c.Expect(from.verifier)
		if errors.Is(err, page.ErrKeyRange) {
			if u, is := signedBeyond(from.info.list, c.Signed); is {
				beyond = append(beyond, u)
				continue
			}
		}
		if err != nil {
			return nil, nil, err
		}
		expected = append(expected, e)
	}
	return expected, beyond, nil
}

// said is up to which size of each epoch a log says that what it lacks is lost.
type said map[string]uint64

// take reads what a commit says, if it opens an epoch.
func (s said) take(codec *commit.Codec, stored []byte) {
	c, err := codec.Open(stored)
	if err != nil {
		return // a check of the log tells what is wrong
	}
	for _, e := range c.Events {
		opened, is := e.Event.(*book.EpochOpened)
		if !is || opened.Lost == nil {
			continue
		}
		for _, lost := range append(opened.LostEarlier, *opened.Lost) {
			s[lost.Origin] = max(s[lost.Origin], lost.Size)
		}
	}
}

// rest is what is left of commits of which the log does not say that they are lost.
func (s said) rest(all []Unaccounted) (rest []Unaccounted) {
	for _, u := range all {
		if u.From = max(u.From, s[u.Origin]); u.From < u.To {
			rest = append(rest, u)
		}
	}
	return rest
}

// beyondEpochs looks at the earlier epochs of a log that lie in the same place, and
// gives what they acknowledged beyond the sizes from which the next go on. One that
// cannot be read is passed over, for nothing of it is brought back.
func (a archivedLog) beyondEpochs(ctx context.Context, ids archive.Identities, log *slog.Logger) (found []Unaccounted, err error) {
	there, err := archive.Logs(ctx, a.log.Place)
	if err != nil {
		return nil, err
	}
	for _, origin := range earlierOrigins(a.info.list) {
		if !slices.Contains(there, origin) {
			continue
		}
		newest, err := newestOf(ctx, archive.Log{Place: a.log.Place, Origin: origin}, ids, a.info.list)
		if errors.Is(err, archive.ErrUnreachable) {
			return nil, err
		}
		if err != nil {
			log.Warn("an earlier epoch of the log cannot be read: whether it went on is not known", "origin", origin, "error", err)
			continue
		}
		if end := epochEnd(a.info.list, origin); newest.Size > end {
			found = append(found, Unaccounted{Origin: origin, From: end, To: newest.Size, Newest: newest})
		}
	}
	return found, nil
}

// withKnown adds to what was found what else is known, the most of each epoch.
func withKnown(found, known []Unaccounted) []Unaccounted {
	for _, k := range known {
		at := slices.IndexFunc(found, func(u Unaccounted) bool { return u.Origin == k.Origin })
		if at < 0 {
			found = append(found, k)
		} else if k.To > found[at].To {
			found[at] = k
		}
	}
	return found
}

// newestOf is the newest state that an archived log is known to have come to, of one
// that a list of keys goes on from.
func newestOf(ctx context.Context, l archive.Log, ids archive.Identities, list *transparency.KeyList) (page.Head, error) {
	a, err := readArchived(ctx, l)
	if err != nil {
		return page.Head{}, err
	}
	if _, err := a.info.list.Follow(*list); err != nil {
		return page.Head{}, err
	}
	reader, err := l.Open(ctx, ids, a.verifier)
	if err != nil {
		return page.Head{}, err
	}
	return reader.Latest(ctx)
}

// unaccounted is beyondEpochs less what the log says is lost, for one of which nothing
// is brought back; opened are its commits that open epochs, and expected what else
// earlier epochs are known to have acknowledged.
func (a archivedLog) unaccounted(ctx context.Context, ids archive.Identities, opened [][]byte, expected []Unaccounted, log *slog.Logger) (_ []Unaccounted, err error) {
	all, err := a.beyondEpochs(ctx, ids, log)
	all = withKnown(all, expected)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	copied, err := a.log.OpenRing(ctx, ids)
	if err != nil {
		return all, nil //nolint:nilerr // the check of the ring tells what is wrong
	}
	defer clear(copied.Root)
	scratch, err := NewScratch("")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, scratch.Remove()) }()
	root, forget := keyring.Transient()
	defer forget()
	ring, err := keyring.Restore(filepath.Join(scratch.Dir, "ring"), copied, root)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ring.Close()) }()
	lost, err := a.said(ring, opened)
	return lost.rest(all), err
}

// said reads what commits of the log say.
func (a archivedLog) said(ring *keyring.Ring, stored [][]byte) (said, error) {
	digest, err := named(ring, digestKey)
	if err != nil {
		return nil, err
	}
	defer clear(digest)
	lost, codec := said{}, commit.NewCodec(a.info.Book, a.verifier.Epoch, ring, digest)
	for _, one := range stored {
		lost.take(codec, one)
	}
	return lost, nil
}
