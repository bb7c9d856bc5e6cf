// Package archive keeps a copy of a log in a second place: a folder or a bucket.
// Pages lie in sealed segments, encrypted with age to recipients whose identities
// are elsewhere, so that whoever writes the archive need not be able to read it,
// and so that the program age alone opens a segment. docs/FORMAT.md has the bytes.
//
//	<origin>/book                                 what the book is, in clear
//	<origin>/keys                                 the log's list of keys, in clear
//	<origin>/ring.age                             the key ring; replaced
//	<origin>/segments/<first>-<last>-<root>.age   pages; never replaced
//
// Each origin of a log, and so each epoch, has a folder of its own: two copies of a
// log that go on by themselves never write to the same one.
package archive

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// Errors that callers branch on.
var (
	// ErrExists means that there is another object of that name.
	ErrExists = errors.New("archive: there is another object of that name already")
	// ErrNotFound means that there is no object of that name.
	ErrNotFound = errors.New("archive: not in the archive")
	// ErrDenied means that the place does not permit it, as one that can only be
	// written to does not permit to be read.
	ErrDenied = errors.New("archive: the archive does not permit it")
	// ErrUnreachable means that the place does not answer, or refuses.
	ErrUnreachable = errors.New("archive: the archive cannot be reached")
	// ErrIdentity means that none of the identities opens what is there.
	ErrIdentity = errors.New("archive: no identity that was given opens it")
	// ErrDamaged means that an object is not what was written.
	ErrDamaged = errors.New("archive: damaged")
	// ErrRing means that it is the key ring that is damaged or missing, without which
	// nothing of the log can be read.
	ErrRing = errors.New("archive: its key ring")
	// ErrPlace means that a text names no place.
	ErrPlace = errors.New("archive: not a place for an archive")
	// ErrRecipients means that recipients are none of age, or of kinds that do not
	// go together.
	ErrRecipients = errors.New("archive: unusable recipients")
)

// Place is where archives lie. Names are paths of parts that are divided by
// slashes. Implementations are safe for concurrent use. Every error but those that
// a method names wraps ErrDenied or ErrUnreachable.
type Place interface {
	// Begin makes a folder and those above it. Objects can be written where that was
	// done; it may be done again.
	Begin(ctx context.Context, folder string) error
	// Put writes an object that is not there, whole or not at all, and durably.
	// ErrExists where there is one.
	Put(ctx context.Context, name string, content []byte) error
	// Replace writes an object in the place of the one of that name, if there is
	// one, and destroys that as far as the place lets it.
	Replace(ctx context.Context, name string, content []byte) error
	// Get reads an object. ErrNotFound.
	Get(ctx context.Context, name string) ([]byte, error)
	// List gives what lies directly in a folder, "" for the place itself, sorted;
	// names of folders end in a slash. Nothing where there is no such folder.
	List(ctx context.Context, folder string) ([]string, error)
	// Remove removes an object, if it is there.
	Remove(ctx context.Context, name string) error
	// Sweep removes from a folder what writings that were cut short left there.
	Sweep(ctx context.Context, folder string) error
	// String names the place, without secrets.
	String() string
}

// The objects of a log.
const (
	bookObject = "book"
	keysObject = "keys"
	ringObject = "ring.age"
	segments   = "segments"
	sealed     = ".age"
)

// Log is one log's archive.
type Log struct {
	Place  Place
	Origin string
}

// name is an object's, also where the place is the folder of the log itself.
func (l Log) name(object string) string { return path.Join(l.Origin, object) }

// Book gives what the archive says the book is, in the form of its owner.
func (l Log) Book(ctx context.Context) ([]byte, error) { return l.Place.Get(ctx, l.name(bookObject)) }

// Keys gives the log's signed list of keys.
func (l Log) Keys(ctx context.Context) ([]byte, error) { return l.Place.Get(ctx, l.name(keysObject)) }

// Stands reports whether there is something of the log's archive, and whether everything
// that is replaced is there.
func (l Log) Stands(ctx context.Context) (some, whole bool, err error) {
	names, err := l.Place.List(ctx, l.Origin)
	whole = true
	for _, object := range []string{bookObject, keysObject, ringObject} {
		whole = whole && slices.Contains(names, object)
	}
	return len(names) > 0, whole, err
}

// Sweep removes what writings that were cut short left of the log: it may hold keys
// that are destroyed later.
func (l Log) Sweep(ctx context.Context) error {
	if err := l.Place.Sweep(ctx, l.Origin); err != nil {
		return err
	}
	return l.Place.Sweep(ctx, l.name(segments))
}

// Logs lists the origins of the logs in a place.
func Logs(ctx context.Context, p Place) ([]string, error) { return logsIn(ctx, p, "", 0) }

// maxDepth bounds how deep logs may lie in a place.
const maxDepth = 8

func logsIn(ctx context.Context, p Place, folder string, depth int) ([]string, error) {
	names, err := p.List(ctx, folder)
	if err != nil || depth > maxDepth {
		return nil, err
	}
	if slices.Contains(names, keysObject) && slices.Contains(names, bookObject) {
		return []string{folder}, nil
	}
	if slices.Contains(names, segments+"/") { // one that lost what says of whom it is
		if all, err := (Log{p, folder}).Segments(ctx); err != nil || len(all) > 0 {
			return []string{folder}, err
		}
	}
	var found []string
	for _, name := range names {
		below, is := strings.CutSuffix(name, "/")
		if !is {
			continue
		}
		more, err := logsIn(ctx, p, path.Join(folder, below), depth+1)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// Segment is a run of pages in one object.
type Segment struct {
	// First and Last are the numbers of its pages.
	First, Last uint64
	// Root begins the root of the log after the last page, so that segments of two
	// logs that say they are one have two names.
	Root [8]byte
}

// segmentOf names the segment from a page to a head.
func segmentOf(first uint64, last page.Head) Segment {
	return Segment{first, last.Page, [8]byte(last.Root[:8])}
}

// Ends reports whether a head is that with which the segment ends.
func (s Segment) Ends(h page.Head) bool { return s.Last == h.Page && s.Root == [8]byte(h.Root[:8]) }

// Name is the segment's object, below the log's.
func (s Segment) Name() string {
	return fmt.Sprintf("%s/%016d-%016d-%x%s", segments, s.First, s.Last, s.Root, sealed)
}

// parseSegment reads the last part of a segment's name.
func parseSegment(name string) (s Segment, is bool) {
	parts := strings.Split(strings.TrimSuffix(name, sealed), "-")
	if len(parts) != 3 {
		return s, false
	}
	var err1, err2 error
	s.First, err1 = strconv.ParseUint(parts[0], 10, 64)
	s.Last, err2 = strconv.ParseUint(parts[1], 10, 64)
	root, err3 := hex.DecodeString(parts[2])
	if errors.Join(err1, err2, err3) != nil || len(root) != len(s.Root) || s.First == 0 || s.First > s.Last {
		return s, false
	}
	s.Root = [8]byte(root)
	return s, s.Name() == segments+"/"+name
}

// Segments lists the log's segments by their first pages, those with more pages
// first. What has another name is left out.
func (l Log) Segments(ctx context.Context) ([]Segment, error) {
	names, err := l.Place.List(ctx, l.name(segments))
	if err != nil {
		return nil, err
	}
	var found []Segment
	for _, name := range names {
		if s, is := parseSegment(name); is {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(b.Last, a.Last))
	})
	return found, nil
}

// Cover gives the segments that hold the pages from first on, each page once or
// more, and the last page up to which they hold all of them. Segments that overlap
// are left by an interrupted writing, and by prunings.
func Cover(all []Segment, first uint64) (chosen []Segment, last uint64) {
	last = first - 1
	for i := 0; i < len(all); {
		best := Segment{}
		for ; i < len(all) && all[i].First <= last+1; i++ {
			if all[i].Last > best.Last {
				best = all[i]
			}
		}
		if best.Last <= last {
			return chosen, last
		}
		chosen, last = append(chosen, best), best.Last
	}
	return chosen, last
}

// RemoveAll removes the whole log from the archive, its keys first: what is left
// when that is cut short can be read by nobody.
func (l Log) RemoveAll(ctx context.Context) error {
	if err := l.Place.Remove(ctx, l.name(ringObject)); err != nil {
		return err
	}
	if err := l.Sweep(ctx); err != nil {
		return err
	}
	all, err := l.Segments(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := l.Remove(ctx, s); err != nil {
			return err
		}
	}
	for _, object := range []string{keysObject, bookObject} {
		if err := l.Place.Remove(ctx, l.name(object)); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes a segment.
func (l Log) Remove(ctx context.Context, s Segment) error {
	return l.Place.Remove(ctx, l.name(s.Name()))
}
