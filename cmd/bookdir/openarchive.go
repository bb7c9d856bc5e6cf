package bookdir

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
)

// archivedLog is a log in an archive, as that tells in clear what it is.
type archivedLog struct {
	log      archive.Log
	info     Info
	places   Places
	verifier *page.Verifier
	// checkpoint is that which it says in clear; may be empty.
	checkpoint string
}

// openArchive finds a log in a place: that of an origin, or, where none is named,
// the only one, or the newest of one book. Where a signed list of keys is trusted, that
// of the archive must be it, or one that it follows or is followed by: the newer of the
// two counts.
func openArchive(ctx context.Context, p archive.Place, origin string, trusted []byte) (archivedLog, error) {
	found, err := findArchive(ctx, p, origin)
	if err != nil || trusted == nil {
		return found, err
	}
	if err := found.info.trust(trusted); err != nil {
		return found, err
	}
	found.verifier, err = found.info.Verifier()
	return found, err
}

func findArchive(ctx context.Context, p archive.Place, origin string) (archivedLog, error) {
	origins, err := archive.Logs(ctx, p)
	if err != nil {
		return archivedLog{}, err
	}
	if lie := places(ctx, p, origins); len(lie) > 0 {
		return archivedLog{}, fmt.Errorf("%w: %s; archives lie in %s", ErrElsewhere, p, strings.Join(lie, ", "))
	}
	if origin != "" {
		if !slices.Contains(origins, origin) {
			return archivedLog{}, fmt.Errorf("%w: %s has no %s", ErrNoLog, p, origin)
		}
		origins = []string{origin}
	}
	if len(origins) == 0 {
		return archivedLog{}, fmt.Errorf("%w: %s", ErrNoLog, p)
	}
	var newest archivedLog
	for i, o := range origins {
		a, err := readArchived(ctx, archive.Log{Place: p, Origin: o})
		if err != nil {
			return archivedLog{}, err
		}
		if i == 0 {
			newest = a
			continue
		}
		list, err := newest.info.list.Follow(*a.info.list)
		if err != nil {
			return archivedLog{}, fmt.Errorf("%w: %s", ErrSeveralLogs, strings.Join(origins, ", "))
		}
		if list.Origin == o {
			newest = a
		}
	}
	return newest, nil
}

// places are where the archives of logs lie that are all above a place, or all below it,
// as the names tell that they say they have; nil where one lies as it should, or as none
// could.
func places(ctx context.Context, p archive.Place, found []string) (lie []string) {
	for _, at := range found {
		data, err := archive.Log{Place: p, Origin: at}.Book(ctx)
		var public archivedBook
		if err != nil || json.Unmarshal(data, &public) != nil || public.Book.Origin == at {
			return nil
		}
		origin := public.Book.Origin
		place := p.String()
		if below, is := strings.CutSuffix(at, "/"+origin); is {
			place += "/" + below
		} else {
			inside, is := strings.CutSuffix("/"+origin, strings.TrimSuffix("/"+at, "/"))
			if is {
				place, is = strings.CutSuffix(place, inside)
			}
			if !is {
				return nil
			}
		}
		if !slices.Contains(lie, place) {
			lie = append(lie, place)
		}
	}
	return lie
}

// readArchived reads what an archive says in clear.
func readArchived(ctx context.Context, l archive.Log) (archivedLog, error) {
	a := archivedLog{log: l}
	data, err := l.Book(ctx)
	if err != nil {
		return a, err
	}
	var public archivedBook
	if err := json.Unmarshal(data, &public); err != nil {
		return a, fmt.Errorf("%w: what it says of the book: %w", archive.ErrDamaged, err)
	}
	data, err = json.Marshal(public.Book)
	if err != nil {
		return a, fmt.Errorf("bookdir: %w", err)
	}
	if a.info, err = parseInfo(data); err != nil {
		return a, fmt.Errorf("%w: what it says of the book: %w", archive.ErrDamaged, err)
	}
	a.places, a.checkpoint = public.Witnesses, public.Checkpoint
	signed, err := l.Keys(ctx)
	if err != nil {
		return a, err
	}
	if err := a.info.takeKeys(signed); err != nil {
		return a, fmt.Errorf("%w: its list of keys: %w", archive.ErrDamaged, err)
	}
	if a.info.Origin != l.Origin || a.info.Identity == "" {
		return a, fmt.Errorf("%w: what lies at %s is of %s", archive.ErrDamaged, l.Origin, a.info.Origin)
	}
	a.verifier, err = a.info.Verifier()
	return a, err
}

// open reads an archived log by a list of keys, with what it says in clear of its state.
func (a archivedLog) open(ctx context.Context, ids archive.Identities, v *page.Verifier) (*archive.Reader, error) {
	reader, err := a.log.Open(ctx, ids, v)
	if err != nil || a.checkpoint == "" {
		return reader, err
	}
	return reader, reader.Know([]byte(a.checkpoint))
}

// proven refuses the end of an archived log over which there is no checkpoint that
// counts: a key that was compromised signed it, and anybody who had that key could.
func proven(newest, h page.Head) error {
	if newest.Size < h.Size {
		return fmt.Errorf("%w: up to size %d of %d", ErrUnproved, newest.Size, h.Size)
	}
	if newest.Size == h.Size && newest.Root != h.Root {
		return fmt.Errorf("%w: at size %d the archive has another root than a checkpoint of it says", ledger.ErrContradiction, h.Size)
	}
	return nil
}
