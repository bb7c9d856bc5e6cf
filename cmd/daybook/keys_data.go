package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

// ringKey is what may be told of a key in the ring.
type ringKey struct {
	ID        keyring.KeyID `json:"id"`
	Kind      string        `json:"kind"`
	Names     []string      `json:"names,omitempty"`
	Destroyed bool          `json:"destroyed,omitempty"`
}

// ringKinds counts the keys of one kind.
type ringKinds struct {
	Kind      string `json:"kind"`
	Live      int    `json:"live"`
	Destroyed int    `json:"destroyed"`
}

// ringList is the answer of keys list.
type ringList struct {
	Epoch uint64      `json:"epoch"`
	Kinds []ringKinds `json:"kinds"`
	Keys  []ringKey   `json:"keys"`
}

func (a *app) keysListCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys in the ring: ids, kinds, names, and never a key",
		Long: `List the keys in the book's ring, and the epoch of the book key that wraps them.
Each customer has keys of its own, and so has each file of lists: they are only
counted, unless --all is given.`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(_ context.Context, s *session, _ *cobra.Command, _ []string) error {
			keys, epoch, err := s.book.Keys().List()
			if err != nil {
				return err
			}
			list := newRingList(keys, epoch, all)
			return a.answer(list, list.people)
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "list the keys of customers and of lists one by one")
	return cmd
}

func newRingList(keys []keyring.Info, epoch uint64, all bool) ringList {
	list := ringList{Epoch: epoch, Kinds: []ringKinds{}, Keys: []ringKey{}}
	counts := map[keyring.Kind]*ringKinds{}
	for _, k := range keys {
		if counts[k.Kind] == nil {
			counts[k.Kind] = &ringKinds{Kind: k.Kind.String()}
		}
		if k.Destroyed {
			counts[k.Kind].Destroyed++
		} else {
			counts[k.Kind].Live++
		}
		if many := k.Kind == keyring.Subject || k.Kind == keyring.View; all || !many {
			list.Keys = append(list.Keys, ringKey{k.ID, k.Kind.String(), k.Names, k.Destroyed})
		}
	}
	for kind := keyring.Facts; kind <= keyring.Transport; kind++ {
		if counts[kind] != nil {
			list.Kinds = append(list.Kinds, *counts[kind])
		}
	}
	return list
}

func (l ringList) people(w io.Writer) {
	t := newTable(">KEY", "KIND", "NAME", "STATE")
	for _, k := range l.Keys {
		state := ""
		if k.Destroyed {
			state = "destroyed"
		}
		t.add(fmt.Sprint(k.ID), k.Kind, strings.Join(k.Names, ", "), state)
	}
	t.write(w)
	fmt.Fprintln(w)
	kinds := newTable("KIND", ">LIVE", ">DESTROYED")
	for _, k := range l.Kinds {
		kinds.add(k.Kind, fmt.Sprint(k.Live), fmt.Sprint(k.Destroyed))
	}
	kinds.write(w)
	fmt.Fprintf(w, "\nThe book key is in epoch %d.\n", l.Epoch)
}

// dataRotated is the answer of keys rotate --data and --book.
type dataRotated struct {
	// Facts is the key that seals accounting facts from now on.
	Facts keyring.KeyID `json:"facts"`
	// Epoch is that of the book key, which wraps all keys.
	Epoch uint64 `json:"epoch"`
}

// rotateData gives the book new data keys, or a new book key alone.
func (a *app) rotateData(bookOnly bool) func(*cobra.Command, []string) error {
	return a.withBook(func(_ context.Context, s *session, _ *cobra.Command, _ []string) error {
		var err error
		if bookOnly {
			err = s.book.RotateBook()
		} else {
			_, err = s.book.RotateData()
		}
		if err != nil {
			return err
		}
		keys, epoch, err := s.book.Keys().List()
		if err != nil {
			return err
		}
		answer := dataRotated{Epoch: epoch}
		for _, k := range keys {
			if k.Kind == keyring.Facts && len(k.Names) > 0 {
				answer.Facts = k.ID
			}
		}
		return a.answer(answer, func(w io.Writer) {
			if !bookOnly {
				fmt.Fprintf(w, "Facts are sealed under key %d from now on, and what is personal under new keys of the customers.\n", answer.Facts)
			}
			fmt.Fprintf(w, "All keys are wrapped under a new book key, epoch %d.\n", answer.Epoch)
		})
	})
}

func (a *app) keysPassphraseCommand() *cobra.Command {
	var passphraseFile, keyFile string
	cmd := &cobra.Command{
		Use:   "passphrase",
		Short: "Change the passphrase or key file that opens the book",
		Long: `Make another passphrase or key file open the book, and the former one no longer.
It is asked for unless it is given by a file. --passphrase-file and --key-file say
how the book opens until then. No key of the book changes, and nothing is sealed
anew: a copy of the ring from before still opens as before. To be safe from
whoever has such a copy, rotate the data keys besides: daybook keys rotate --data.`,
		Example: `  daybook keys passphrase
  daybook keys passphrase --new-key-file /media/stick/acme.key`,
		Args: cobra.NoArgs,
		RunE: a.do(func(cmd *cobra.Command, _ []string) error {
			return a.changeRoot(cmd.Context(), passphraseFile, keyFile)
		}),
	}
	cmd.Flags().StringVar(&passphraseFile, "new-passphrase-file", "", "`FILE` with the new passphrase")
	cmd.Flags().StringVar(&keyFile, "new-key-file", "", "`FILE` with the new key, made if it is not there")
	cmd.MarkFlagsMutuallyExclusive("new-passphrase-file", "new-key-file")
	return cmd
}

// inside reports whether a path, which need not be there, is a folder or lies in it,
// by whatever links they are named.
func inside(dir, path string) bool {
	dir, path = resolved(dir), resolved(path)
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
}

// resolved follows the links of a path as far as it is there.
func resolved(path string) string {
	there, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rest := ""
	for {
		if real, err := filepath.EvalSymlinks(there); err == nil {
			return filepath.Join(real, rest)
		}
		if there == filepath.Dir(there) {
			return filepath.Join(there, rest)
		}
		there, rest = filepath.Dir(there), filepath.Join(filepath.Base(there), rest)
	}
}

func (a *app) changeRoot(ctx context.Context, passphraseFile, keyFile string) error {
	dir, err := a.bookDir()
	if err != nil {
		return err
	}
	info, err := bookdir.ReadInfo(dir)
	if err != nil {
		return err
	}
	root, err := a.root(dir, info.KeyFile)
	if err != nil {
		return err
	}
	a.compile()
	<-a.compiled
	admin, err := bookdir.OpenAdmin(ctx, dir, "", bookdir.Options{Root: root, Clock: a.clock, Log: a.log})
	if err != nil {
		return err
	}
	next, keyFile, err := a.nextRoot(dir, passphraseFile, keyFile)
	if err == nil {
		err = admin.ChangeRoot(next, keyFile)
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	if err = a.closed(err, admin.Close(closing)); err != nil {
		return err
	}
	return a.answer(struct {
		KeyFile string `json:"key_file,omitempty"`
	}{keyFile}, func(w io.Writer) {
		if keyFile != "" {
			fmt.Fprintf(w, "The book opens with the key file %s from now on.\n", keyFile)
			return
		}
		fmt.Fprintln(w, "The book opens with the new passphrase from now on.")
	})
}

// nextRoot gives the new root key, and its path if it is a file.
func (a *app) nextRoot(dir, passphraseFile, keyFile string) (keyring.Root, string, error) {
	switch {
	case passphraseFile != "":
		root, err := a.passphraseFrom(passphraseFile)
		return root, "", err
	case keyFile != "":
		path, err := filepath.Abs(keyFile)
		if err != nil {
			return nil, "", fmt.Errorf("the key file: %w", err)
		}
		if inside(dir, path) {
			return nil, "", usage("the key file must not lie in the book's own folder: whoever copied the folder could read the book")
		}
		if _, err := makeKeyFile(path); err != nil {
			return nil, "", err
		}
		return keyring.KeyFile(path), path, nil
	default:
		passphrase, err := a.askTwice()
		return keyring.Passphrase(passphrase), "", err
	}
}
