package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

func (a *app) keysCommand() *cobra.Command {
	return a.group("keys", "Change the keys of the book, and say who signs for it",
		a.keysListCommand(), a.keysPassphraseCommand(), a.keysPublicCommand(), a.keysRotateCommand(), a.keysOfflineCommand(), a.keysWitnessCommand())
}

// keyListJSON is the answer of the keys commands.
type keyListJSON struct {
	Identity  string        `json:"identity"`
	Origin    string        `json:"origin"`
	Serial    uint64        `json:"serial"`
	Keys      []logKeyJSON  `json:"keys"`
	Quorum    int           `json:"quorum"`
	Witnesses []witnessJSON `json:"witnesses"`
	// Signed is the list as auditors take it: the file that --trust reads.
	Signed string `json:"signed"`
}

// logKeyJSON is one key of the log; Until and Counts are absent where the key is
// in use.
type logKeyJSON struct {
	Key    string  `json:"key"`
	From   uint64  `json:"from"`
	Until  *uint64 `json:"until,omitempty"`
	Counts *uint64 `json:"counts,omitempty"`
}

type witnessJSON struct {
	Key string `json:"key"`
	URL string `json:"url,omitempty"`
}

func newKeyListJSON(dir string, i bookdir.Info) (keyListJSON, error) {
	list, signed, err := i.KeyList()
	if err != nil {
		return keyListJSON{}, err
	}
	places, err := bookdir.ReadPlaces(dir)
	if err != nil {
		return keyListJSON{}, err
	}
	answer := keyListJSON{
		Identity: list.Identity, Origin: list.Origin, Serial: list.Serial,
		Keys: []logKeyJSON{}, Quorum: list.Quorum, Witnesses: []witnessJSON{}, Signed: string(signed),
	}
	for _, k := range list.Keys {
		v, err := page.NewVerifier(k.Origin, page.ForEver(k.Public))
		if err != nil {
			return keyListJSON{}, err
		}
		key := logKeyJSON{Key: v.VerifierKey(), From: k.From}
		if k.Until != page.MaxSize {
			key.Until, key.Counts = &k.Until, &k.Counts
		}
		answer.Keys = append(answer.Keys, key)
	}
	for _, w := range list.Witnesses.Keys {
		answer.Witnesses = append(answer.Witnesses, witnessJSON{w.String(), places[w.String()]})
	}
	return answer, nil
}

func (k keyListJSON) people(w io.Writer) {
	t := newTable("KEY", ">FROM", ">UNTIL", ">COUNTS TO")
	for _, key := range k.Keys {
		until, counts := "in use", ""
		if key.Until != nil {
			until, counts = strconv.FormatUint(*key.Until, 10), strconv.FormatUint(*key.Counts, 10)
		}
		t.add(key.Key, strconv.FormatUint(key.From, 10), until, counts)
	}
	t.write(w)
	for _, witness := range k.Witnesses {
		fmt.Fprintf(w, "Witness %s at %s\n", witness.Key, witness.URL)
	}
	if len(k.Witnesses) > 0 {
		fmt.Fprintf(w, "%d of %s must cosign.\n", k.Quorum, count(len(k.Witnesses), "witness"))
	}
}

func (a *app) keysPublicCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "public",
		Short: "Give the list of public keys that an auditor trusts",
		Long: `Write the list of the log's public keys and witnesses, signed by the book's
identity. Give it to whoever is to check receipts and bundles: by a way that
nobody who runs the server controls. It needs no passphrase.`,
		Example: `  daybook keys public > KEYS`,
		Args:    cobra.NoArgs,
		RunE: a.do(func(*cobra.Command, []string) error {
			dir, err := a.bookDir()
			if err != nil {
				return err
			}
			info, err := bookdir.ReadInfo(dir)
			if err != nil {
				return err
			}
			answer, err := newKeyListJSON(dir, info)
			if err != nil {
				return err
			}
			return a.answer(answer, func(w io.Writer) { _, _ = io.WriteString(w, answer.Signed) })
		}),
	}
}

// identityFlag adds the flag that names the identity key's file.
func identityFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("identity", "", "the `FILE` of the identity key, once it is offline")
}

// withAdmin runs f while the book is held for it alone, and answers with the
// list of keys.
func (a *app) withAdmin(ctx context.Context, identity string, f func(*bookdir.Admin) error, tell func(w io.Writer)) error {
	a.compile()
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
	<-a.compiled
	admin, err := bookdir.OpenAdmin(ctx, dir, identity, bookdir.Options{Root: root, Clock: a.clock, Log: a.log})
	if err != nil {
		return err
	}
	err = f(admin)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	if err = a.closed(err, admin.Close(closing)); err != nil {
		return err
	}
	answer, err := newKeyListJSON(dir, admin.Info)
	if err != nil {
		return err
	}
	return a.answer(answer, func(w io.Writer) {
		tell(w)
		answer.people(w)
	})
}

func (a *app) keysRotateCommand() *cobra.Command {
	var compromised, data, book bool
	var identity *string
	var counts, size uint64
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Sign, or seal, with a new key from here on",
		Long: `Make a new signing key, and have the identity say that it signs the log from its
present size on. What the old key signed stays valid.

With --compromised, because somebody else may have the old key, its checkpoints
and receipts count only up to the last size that the witnesses cosigned; without
a witness, none of them do. Callers get new receipts by repeating their commands.

With --data the signing key stays, and what is entered from now on is sealed under
new keys: the facts, and what is personal of each customer. Data that is sealed
already stays as it is: a log is never rewritten. With --book, and with --data as
well, all keys are wrapped anew under a new book key.`,
		Args: cobra.NoArgs,
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			if data || book {
				return a.rotateData(!data)(cmd, args)
			}
			return a.withAdmin(cmd.Context(), *identity, func(admin *bookdir.Admin) (err error) {
				counts, size, err = admin.Rotate(compromised)
				return err
			}, func(w io.Writer) {
				fmt.Fprintf(w, "A new key signs from size %d on; the old one's checkpoints count up to size %d.\n"+
					"Give the new list to everybody who has the old one: daybook keys public\n\n", size, counts)
			})
		}),
	}
	cmd.Flags().BoolVar(&compromised, "compromised", false, "the old key may be in other hands")
	cmd.Flags().BoolVar(&data, "data", false, "seal under new data keys; the signing key stays")
	cmd.Flags().BoolVar(&book, "book", false, "wrap all keys under a new book key; nothing else changes")
	cmd.MarkFlagsMutuallyExclusive("compromised", "data", "book")
	identity = identityFlag(cmd)
	return cmd
}

func (a *app) keysOfflineCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "offline FILE",
		Short: "Take the identity key out of the book, into a file for the safe",
		Long: `Write the identity key to a file and destroy it in the book's key ring. Keep the
file, and a copy of it, away from this machine: whoever has it can say which keys
sign for the book. Rotating keys and changing witnesses then need --identity FILE.`,
		Args: cobra.ExactArgs(1),
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), "", func(admin *bookdir.Admin) error { return admin.TakeOffline(args[0]) },
				func(w io.Writer) {
					fmt.Fprintf(w, "The identity key is in %s and nowhere else. Put it in a safe, and a copy in another.\n\n", args[0])
				})
		}),
	}
}

func (a *app) keysWitnessCommand() *cobra.Command {
	return a.group("witness", "Say who cosigns the log", a.witnessAddCommand(), a.witnessRemoveCommand())
}

func (a *app) witnessAddCommand() *cobra.Command {
	var quorum int
	var identity *string
	cmd := &cobra.Command{
		Use:   "add KEY URL",
		Short: "Have a witness cosign the log",
		Long: `Enter a witness in the book's list of keys: its public key, as daybook witness
prints it, and the URL below which it takes checkpoints (C2SP tlog-witness). From
then on every checkpoint goes to it, and counts as witnessed once the quorum
cosigned.`,
		Example: `  daybook keys witness add 'witness.example/w1+8832d1ae+BNVC…' https://witness.example/ --quorum 1`,
		Args:    cobra.ExactArgs(2),
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("quorum") && quorum < 1 {
				return usage("--quorum %d: at least 1 witness must cosign", quorum)
			}
			key, err := transparency.ParseWitnessKey(args[0])
			if err != nil {
				return err
			}
			if at, err := url.Parse(args[1]); err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
				return usage("%q is not the URL of a witness", args[1])
			}
			return a.withAdmin(cmd.Context(), *identity, func(admin *bookdir.Admin) error { return admin.AddWitness(key, args[1], quorum) },
				func(w io.Writer) { fmt.Fprintf(w, "%s is asked to cosign the log.\n\n", key.Name) })
		}),
	}
	cmd.Flags().IntVar(&quorum, "quorum", 0, "how `MANY` witnesses must cosign a checkpoint (else what it was, at least 1)")
	identity = identityFlag(cmd)
	return cmd
}

func (a *app) witnessRemoveCommand() *cobra.Command {
	var identity *string
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Have a witness cosign no longer",
		Args:  cobra.ExactArgs(1),
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), *identity, func(admin *bookdir.Admin) error { return admin.RemoveWitness(args[0]) },
				func(w io.Writer) { fmt.Fprintf(w, "%s is asked no longer.\n\n", args[0]) })
		}),
	}
	identity = identityFlag(cmd)
	return cmd
}
