package bookdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
)

var (
	// ErrNoWitness means that the book has no witness of a name.
	ErrNoWitness = errors.New("bookdir: the book has no such witness")
	// ErrWitnessExists means that the book has a witness of that name or key.
	ErrWitnessExists = errors.New("bookdir: the book has this witness already")
	// ErrQuorum means that more witnesses would have to cosign than there are.
	ErrQuorum = errors.New("bookdir: there are not so many witnesses")
)

// Places says where witnesses are reached, by their keys. It stands beside the
// list of keys and is not signed: an address proves nothing, a key does.
type Places map[string]string

func placesPath(dir string) string { return filepath.Join(dir, "witnesses.json") }

// ReadPlaces reads where a book's witnesses are.
func ReadPlaces(dir string) (Places, error) {
	places := Places{}
	data, err := os.ReadFile(placesPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return places, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	if err := json.Unmarshal(data, &places); err != nil {
		return nil, fmt.Errorf("bookdir: %s: %w", placesPath(dir), err)
	}
	return places, nil
}

func (p Places) write(dir string) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	return writeDurably(placesPath(dir), append(data, '\n'), 0o644)
}

// AddWitness enters a witness in the list of keys, and where it is reached. A
// quorum of 0 leaves it as it is, or makes it 1 where there was none.
func (a *Admin) AddWitness(w transparency.WitnessKey, url string, quorum int) error {
	there := a.Info.Witnesses().Keys
	same := func(o transparency.WitnessKey) bool { return o.Name == w.Name || o.Public.Equal(w.Public) }
	if slices.ContainsFunc(there, same) {
		return fmt.Errorf("%w: %s", ErrWitnessExists, w.Name)
	}
	if quorum > len(there)+1 {
		return fmt.Errorf("%w: %d of %d would have to cosign", ErrQuorum, quorum, len(there)+1)
	}
	places, err := ReadPlaces(a.dir)
	if err != nil {
		return err
	}
	// The address first: a witness in the list without one could not be asked.
	places[w.String()] = url
	if err := places.write(a.dir); err != nil {
		return err
	}
	// And what it is asked by: a verification may come before the book is opened.
	if _, err := a.link.signNewest(a.link.ledger.(*ledger.Writer).Durable()); err != nil {
		return err
	}
	return a.change(func(l transparency.KeyList) transparency.KeyList {
		l.Serial++
		l.Witnesses.Keys = append(slices.Clone(l.Witnesses.Keys), w)
		l.Quorum = max(l.Quorum, 1)
		if quorum > 0 {
			l.Quorum = quorum
		}
		return l
	})
}

// RemoveWitness takes a witness from the list. The quorum shrinks with it where
// it must.
func (a *Admin) RemoveWitness(name string) error {
	known := func(w transparency.WitnessKey) bool { return w.Name == name }
	at := slices.IndexFunc(a.Info.Witnesses().Keys, known)
	if at < 0 {
		return fmt.Errorf("%w: %s", ErrNoWitness, name)
	}
	gone := a.Info.Witnesses().Keys[at].String()
	err := a.change(func(l transparency.KeyList) transparency.KeyList {
		l.Serial++
		l.Witnesses.Keys = slices.DeleteFunc(slices.Clone(l.Witnesses.Keys), known)
		l.Quorum = min(l.Quorum, len(l.Witnesses.Keys))
		return l
	})
	if err != nil {
		return err
	}
	places, err := ReadPlaces(a.dir)
	if err != nil {
		return err
	}
	delete(places, gone)
	return places.write(a.dir)
}
