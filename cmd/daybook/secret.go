package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

// maxPassphrase bounds a passphrase file, in bytes.
const maxPassphrase = 64 << 10

// root finds the book's root key: by the flags, else by the environment, the
// kind that the ring is locked with first, else by the key file that book.json
// records, else by asking.
func (a *app) root(dir, recorded string) (keyring.Root, error) {
	passphraseFile, keyFile := a.env("DAYBOOK_PASSPHRASE_FILE"), a.env("DAYBOOK_KEY_FILE")
	switch file, err := bookdir.WantsKeyFile(dir); {
	case err != nil: // opening the ring tells what is wrong with it
	case !file:
		recorded = ""
	case recorded == "":
		recorded = keyFile // book.json does not say where it is
	}
	switch {
	case a.keyFile != "":
		return keyring.KeyFile(a.keyFile), nil
	case a.passphraseFile != "":
		return a.passphraseFrom(a.passphraseFile)
	case recorded != "" && keyFile != "":
		return keyring.KeyFile(keyFile), nil
	case recorded != "":
		return keyring.KeyFile(recorded), nil
	case passphraseFile != "":
		return a.passphraseFrom(passphraseFile)
	case keyFile != "":
		return keyring.KeyFile(keyFile), nil
	}
	passphrase, err := a.ask("Passphrase: ")
	return keyring.Passphrase(passphrase), err
}

// passphraseFrom reads a passphrase file. The line break at its end is not part
// of the passphrase.
func (a *app) passphraseFrom(path string) (keyring.Root, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the passphrase file: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		a.warn("others can read the passphrase file %s: chmod 600 makes it yours alone", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxPassphrase+1))
	if err != nil {
		return nil, fmt.Errorf("the passphrase file: %w", err)
	}
	if len(text) > maxPassphrase {
		return nil, fmt.Errorf("the passphrase file %s has more than %d bytes: %w", path, maxPassphrase, keyring.ErrInvalid)
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return nil, fmt.Errorf("the passphrase file %s is empty: %w", path, keyring.ErrInvalid)
	}
	return keyring.Passphrase(text), nil
}

// ask asks for a passphrase on the terminal.
func (a *app) ask(prompt string) ([]byte, error) {
	terminal, done := a.terminal()
	if terminal == nil {
		return nil, fail(codeNoPassphrase, "give --passphrase-file or --key-file, or run the command on a terminal",
			"the book's passphrase is needed, and there is no terminal to ask for it")
	}
	defer done()
	fmt.Fprint(a.stderr, prompt)
	passphrase, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(a.stderr)
	if err != nil {
		return nil, fmt.Errorf("read the passphrase: %w", err)
	}
	return passphrase, nil
}

// askTwice asks for a new passphrase, and again in case of a slip.
func (a *app) askTwice() ([]byte, error) {
	first, err := a.ask("New passphrase: ")
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, fmt.Errorf("the passphrase is empty: %w", keyring.ErrInvalid)
	}
	second, err := a.ask("The same again: ")
	if err != nil {
		return nil, err
	}
	defer clear(second)
	if !bytes.Equal(first, second) {
		return nil, fmt.Errorf("the two passphrases are not the same: %w", keyring.ErrInvalid)
	}
	return first, nil
}

// terminal is where a person can be asked: stdin, or the process's own terminal
// where stdin brings something else. Nil if nobody is there.
func (a *app) terminal() (*os.File, func()) {
	if in, is := a.stdin.(*os.File); is && term.IsTerminal(int(in.Fd())) {
		return in, func() {}
	}
	if !a.watched() {
		return nil, nil
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, nil
	}
	return tty, func() { tty.Close() }
}

// watched reports whether a person watches stderr.
func (a *app) watched() bool {
	out, is := a.stderr.(*os.File)
	return is && term.IsTerminal(int(out.Fd()))
}
