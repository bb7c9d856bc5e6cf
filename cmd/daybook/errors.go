package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/eventstore/witness"
	"github.com/daybook-ledger/daybook/importer"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/remote"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/postgres"
)

// failure is an error as it is told to people and programs.
type failure struct {
	code, message, hint string
	// usage is a mistake on the command line.
	usage bool
	// computed is the totals of a document that was refused for them; nil else.
	computed *tax.Totals
	// entered is the command that was entered all the same; nil else.
	entered *change
}

func (f *failure) Error() string { return f.message }

// The codes that only this program gives; the others are those of the packages.
const (
	codeUsage        = "usage"
	codeFailed       = "failed"
	codeInterrupted  = "interrupted"
	codeNoPassphrase = "no-passphrase"
	codeNotVerified  = "not-verified"
	codeRejects      = "rejects"
	codeBadContent   = "bad-content"
	codeBadLine      = "bad-line"
	codeAnswerLost   = "answer-lost"
	codeKeyFile      = "key-file-unusable"
)

func usage(format string, args ...any) error {
	return &failure{code: codeUsage, message: fmt.Sprintf(format, args...), hint: hintUsage, usage: true}
}

func fail(code, hint, format string, args ...any) error {
	return &failure{code: code, hint: hint, message: fmt.Sprintf(format, args...)}
}

const (
	hintVerify  = "keep a copy of the book's folder as it is, then run daybook verify to see what is wrong"
	hintMend    = "where the book lives, delete what is damaged in the archive and run daybook backup, which writes again what is missing; where it is gone, look for another copy of the archive, or end the log before a damaged segment: daybook restore --until POSITION --accept-loss NUMBER"
	hintBackup  = "daybook repair makes the log anew from what survives and the archive; daybook restore makes the book anew elsewhere"
	hintFork    = "keep the folder as it is and write nothing to it: it was put back to an older copy, or the log rewritten, which no repair mends. Find the right folder, or make the book anew from its archive, in a new folder: daybook restore"
	hintCopied  = "where the book lives, delete ring.age in the archive and run daybook backup, which writes it again; where it is gone, look for another copy of the archive: without the ring nobody can read the log"
	hintNewer   = "use the version of daybook that wrote it, or a later one"
	hintBusy    = "wait until the other process is done and try again"
	hintHead    = "daybook repair makes it anew, and the log goes on in a new epoch"
	hintRoom    = "make room on the disk and repeat the command"
	hintUnknown = "repeat the command with the same --command-id: it is entered once, whatever happened"
)

// known are the errors of the packages that this program gives a code: the
// first that fits counts. docs/CLI.md lists the codes.
var known = []struct {
	err        error
	code, hint string
}{
	{ledger.ErrOutcomeUnknown, "outcome-unknown", hintUnknown},
	{syscall.ENOSPC, bookdir.CodeDiskFull, hintRoom},
	{syscall.EDQUOT, bookdir.CodeDiskFull, hintRoom},

	{bookdir.ErrNoBook, "no-book", "make one with daybook init, or say where it is with --dir"},
	{bookdir.ErrExists, "folder-not-empty", "give a new folder, or an empty one"},
	{bookdir.ErrFileExists, "file-exists", "give another name, or remove it first"},
	{bookdir.ErrNewer, "newer-version", hintNewer},
	{archive.ErrNotFound, "archive-incomplete", hintMend},
	{archive.ErrDamaged, "archive-damaged", hintMend},
	{bookdir.ErrDamaged, "book-damaged", "bring book.json back from a backup: it holds nothing secret"},
	{bookdir.ErrBusy, "busy", hintBusy},
	{bookdir.ErrKeysMissing, "keys-missing", "bring the file keys back from a backup, or from anybody who has the list: it holds nothing secret"},
	{bookdir.ErrNoList, "no-key-list", "give the book any command once: it gets its identity and its list of keys then"},
	{bookdir.ErrOffline, "identity-offline", "name the file of the identity key: --identity FILE"},
	{bookdir.ErrNotIdentity, "not-the-identity", "give the file that daybook keys offline wrote for this book"},
	{transparency.ErrTreeSize, "no-such-size", "daybook status tells how many commits the log has"},
	{bookdir.ErrOtherExport, "export-other", "give a new folder: --to; a book that was restored goes on as another log"},
	{bookdir.ErrNoWitness, "no-witness", "daybook keys public lists the witnesses"},
	{bookdir.ErrWitnessExists, "witness-exists", "daybook keys public lists the witnesses; daybook keys witness remove takes one away"},
	{bookdir.ErrQuorum, "invalid-quorum", "give a --quorum of as many witnesses as there are with this one, or fewer"},
	{bookdir.ErrNoArchive, "no-archive", "say where it is to be: daybook backup --to FOLDER --recipient age1…"},
	{bookdir.ErrRecipientsChanged, "recipients-changed", "give another --to: everything is archived there anew for the recipients of now"},
	{bookdir.ErrTwin, "archive-contradiction", "find the other copy of the book that writes there, and restore one of the two to go on under a name of its own"},
	{bookdir.ErrArchiveGone, "archive-gone", "mount the disk that has the archive, or bring it back; if it is lost, begin another elsewhere: daybook backup --to PLACE"},
	{bookdir.ErrArchiveMoved, "archive-moved", "run daybook backup again: it goes to the place that was named last"},
	{bookdir.ErrUnproved, bookdir.CodeUnproved, "where the book lives, daybook backup writes a checkpoint that counts; where it is gone, daybook restore --until takes the archive up to there as it is"},
	{bookdir.ErrNoLog, "archive-missing", "check --from and --origin, and that the disk is mounted; daybook backup list tells what is there"},
	{bookdir.ErrBeforeLog, "before-log", "give a later --until"},
	{bookdir.ErrElsewhere, "archive-missing", "name the place as daybook backup --to did: --from"},
	{bookdir.ErrSeveralLogs, "archive-ambiguous", "name one with --origin; daybook backup list tells what is there"},
	{bookdir.ErrUnwritable, "no-permission", "copy the book's folder to where it can be written, and verify the copy: a log is not opened without writing to its folder"},
	{bookdir.ErrRepairing, "repair-cut-short", "daybook repair brings it to its end, and needs no options for that"},
	{bookdir.ErrNothingLeft, "nothing-left", "name the archive: daybook repair --from PLACE --identity FILE; without one the book cannot be made anew"},
	{bookdir.ErrRingOlder, "ring-older", "the folder was put back to an older copy: daybook restore makes the book anew from its archive, in a new folder"},
	{bookdir.ErrErasureLost, "erasure-lost", "bring back what is lost: daybook repair --from PLACE --identity FILE; where the archive lacks it, daybook restore makes the book anew from the archive in a new folder; without an archive this log cannot go on"},
	{bookdir.ErrSound, "nothing-to-repair", "daybook verify checks the whole log"},
	{bookdir.ErrNoLoss, "no-loss", "leave out --accept-loss"},
	{archive.ErrIdentity, "wrong-identity", "give the file of an identity whose recipient the archive was made for"},
	{archive.ErrRecipients, "invalid-recipient", "age-keygen makes an identity and tells its recipient: age1…, or age1pq1… with -pq"},
	{archive.ErrPlace, "invalid-archive", "give the path of a folder, or a URL such as s3://bucket/prefix?endpoint=https://host, its credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
	{archive.ErrDenied, "archive-denied", "check who may read and write the archive"},
	{archive.ErrUnreachable, "archive-unreachable", "check that the disk or the bucket is there, and try again: nothing of the book is lost"},
	{remote.ErrUnreachable, "busy", hintBusy},
	{jetstream.ErrHeld, "busy", hintBusy},
	{witness.ErrHeld, "busy", "end the other witness first, or give this one a folder, and so a key, of its own: --state"},

	{keyring.ErrNewer, "newer-version", hintNewer},
	{keyring.ErrPassphrase, "wrong-passphrase", "check the passphrase, or name the key file that the book was made with: --key-file"},
	{keyring.ErrKeyFile, codeKeyFile, "a key file holds at least 32 random bytes and is readable by its owner alone"},
	{keyring.ErrMissing, "ring-missing", "daybook restore makes the book anew from its archive: without its keys nobody can read it"},
	{keyring.ErrDamaged, "ring-damaged", "daybook restore makes the book anew from its archive: without its keys nobody can read it"},
	{keyring.ErrExists, "folder-not-empty", "give a new folder, or an empty one"},
	{keyring.ErrInvalid, "invalid-passphrase", "choose a passphrase that is not empty"},
	{commit.ErrNotErased, "key-destroyed", "daybook restore makes the book anew from its archive: what was erased stays erased"},
	{keyring.ErrDestroyed, "key-destroyed", hintVerify},
	{keyring.ErrUnknownKey, "key-missing", "daybook restore makes the book anew from its archive"},

	{head.ErrMissing, bookdir.CodeHeadMissing, hintHead},
	{head.ErrDamaged, bookdir.CodeHeadDamaged, hintHead},
	{head.ErrNewer, "newer-version", hintNewer},
	{head.ErrBackwards, transparency.CodeContradiction, hintVerify},

	{ledger.ErrLogShort, bookdir.CodeShort, hintBackup},
	{ledger.ErrContradiction, transparency.CodeContradiction, hintFork},
	{ledger.ErrClosed, "busy", hintBusy},

	{jetstream.ErrNoStream, "log-missing", hintBackup},
	{jetstream.ErrUnavailable, "unavailable", "try again; if it stays so, DAYBOOK_DEBUG=1 shows what the store says"},
	{eventstore.ErrForeign, bookdir.CodeForeign, hintVerify},
	{eventstore.ErrGap, transparency.CodeMissing, hintVerify},
	{eventstore.ErrTooLarge, ledger.CodeCommandTooLarge, "divide it into smaller documents"},
	{eventstore.ErrUnclear, "outcome-unknown", hintUnknown},
	{eventstore.ErrFenced, "fenced", "another writer appends to this log: find and stop it, then try again"},
	{seal.ErrNewer, bookdir.CodeCommitNewer, hintNewer},
	{seal.ErrForm, bookdir.CodeCommitForm, hintVerify},
	{seal.ErrSection, "section-damaged", hintVerify},
	{commit.ErrForm, bookdir.CodeCommitForm, hintVerify},

	{postgres.ErrURL, "invalid-views-url", "give a URL such as postgres://user@host/database, its password in PGPASSWORD or the password file"},

	{syscall.EROFS, "disk-readonly", "make the disk writable; while another process holds the book status and verify go on through it, else copy the folder to a disk that can be written and read the copy"},
	{fs.ErrPermission, "no-permission", "check who owns the file and who may read and write it"},
	{fs.ErrNotExist, "file-not-found", "check the path"},
}

// explain says what an error means to whoever uses the program. interrupted is
// why a signal ended the command, nil if none did.
func explain(err, interrupted error) *failure {
	var told *failure
	var refusal *domain.Refusal
	var fault *projections.Fault
	var stopped *importer.Stopped
	var lost *unwritten
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &stopped):
		cause := explain(stopped.Err, interrupted)
		return &failure{
			code: cause.code, hint: stopped.Hint(),
			message: fmt.Sprintf("the import stopped at document %s (line %d): %s", stopped.Number, stopped.Line, cause.message),
		}
	case errors.As(err, &refusal):
		f := &failure{code: refusal.Code, message: refusal.Message, hint: cmp.Or(refusal.Hint, hints[refusal.Code], hintCodes)}
		if totals, is := refusal.Computed.(tax.Totals); is {
			f.computed = &totals
		}
		return f
	case errors.As(err, &fault):
		f := &failure{code: fault.Code, message: fault.Message, hint: cmp.Or(fault.Hint, hints[fault.Code], hintCodes)}
		if strings.HasPrefix(f.code, "view-") {
			f.message = plain(err) // it tells where
		}
		return f
	case errors.Is(err, ledger.ErrOutcomeUnknown):
		return classify(err)
	case errors.As(err, &lost):
		return &failure{code: codeAnswerLost, message: plain(err), hint: hintOutput}
	case interrupted != nil && (errors.Is(err, context.Canceled) || errors.Is(err, interrupted)):
		return stoppedBySignal
	}
	told = classify(err)
	if interrupted != nil && told.code == codeFailed {
		return stoppedBySignal // SQLite, for one, says that it was interrupted in its own words
	}
	return told
}

var stoppedBySignal = &failure{code: codeInterrupted, message: "stopped by a signal", hint: "run the command again to go on"}

// classify finds the code of an error that has none of its own.
func classify(err error) *failure {
	if errors.Is(err, keyring.ErrKeyFile) && errors.Is(err, fs.ErrNotExist) {
		return &failure{code: codeKeyFile, message: plain(err), hint: hintNoKeyFile}
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return &failure{code: k.code, message: plain(err), hint: k.hint}
		}
	}
	var badPage *page.Error
	var badReceipt *transparency.Error
	switch {
	case errors.As(err, &badPage) && badPage.Page == 0: // it may be of a file that somebody gave
		return &failure{code: badPage.Code, message: plain(err), hint: cmp.Or(hints[badPage.Code], hintVerify)}
	case errors.As(err, &badPage):
		return &failure{code: badPage.Code, message: plain(err), hint: hintVerify}
	case errors.As(err, &badReceipt):
		return &failure{code: badReceipt.Code, message: plain(err), hint: cmp.Or(hints[badReceipt.Code], hintReceipt)}
	}
	return &failure{code: codeFailed, message: plain(err), hint: hintDebug}
}

// hintOf is the hint that goes with a known code.
func hintOf(code, otherwise string) string {
	for _, k := range known {
		if k.code == code && k.hint != hintVerify {
			return k.hint
		}
	}
	return cmp.Or(hints[code], otherwise)
}

// place matches the names of packages and steps that errors begin with: they are
// for those who read the code.
var place = regexp.MustCompile(`^(?:bookdir|archive|ledger|eventstore|keyring|head|state|seal|commit|page|transparency|projections|views|sqlite|postgres|remote|importer/csvfile|importer/ubl|importer|witness): `)

// plain is the text of an error, on one line: each of several errors is a part.
func plain(err error) string {
	parts := strings.Split(err.Error(), "\n")
	for i, part := range parts {
		for shorter := place.ReplaceAllString(part, ""); shorter != part; shorter = place.ReplaceAllString(part, "") {
			part = shorter
		}
		parts[i] = part
	}
	return joined(strings.Join(parts, "\n"))
}

// told is the JSON form of a failure.
type toldFailure struct {
	Error struct {
		Code     string      `json:"code"`
		Message  string      `json:"message"`
		Hint     string      `json:"hint"`
		Computed *totalsJSON `json:"computed,omitempty"`
		Entered  *change     `json:"entered,omitempty"`
	} `json:"error"`
}

// totalsJSON is the totals of a refused document.
type totalsJSON struct {
	Net      string `json:"net"`
	Tax      string `json:"tax"`
	Total    string `json:"total"`
	Due      string `json:"due"`
	Currency string `json:"currency"`
}

func (f *failure) totals() *totalsJSON {
	if f.computed == nil {
		return nil
	}
	t := f.computed
	return &totalsJSON{t.Net.String(), t.Tax.String(), t.Gross.String(), t.Due.String(), t.Gross.Currency().String()}
}

// tell writes the failure to stderr.
func (f *failure) tell(a *app) {
	if a.json {
		var told toldFailure
		told.Error.Code, told.Error.Message, told.Error.Hint = f.code, joined(f.message), joined(f.hint)
		told.Error.Computed, told.Error.Entered = f.totals(), f.entered
		encoder := json.NewEncoder(a.stderr)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(told) // nobody is left to hear that stderr cannot be written
		return
	}
	fmt.Fprintf(a.stderr, "daybook: error: %s (%s)\n", joined(printable(f.message)), f.code)
	if t := f.totals(); t != nil {
		fmt.Fprintf(a.stderr, "daybook: computed: net %s, tax %s, total %s, due %s %s\n", t.Net, t.Tax, t.Total, t.Due, t.Currency)
	}
	if f.hint != "" {
		fmt.Fprintf(a.stderr, "daybook: hint: %s\n", joined(printable(f.hint)))
	}
}

// isMissing reports whether a path is not there.
func isMissing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
