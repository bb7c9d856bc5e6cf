package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// newFile writes a file that was not there; what fails leaves none.
func newFile(path string, write func(io.Writer) (int, error)) (n int, err error) {
	file, err := bookdir.NewFile(path, 0o600)
	if err != nil {
		return 0, err
	}
	n, err = write(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, errors.Join(err, os.Remove(path))
	}
	return n, nil
}

// readFile reads a file whose form has at most so many bytes. Of a longer one it
// gives one byte more, and whoever knows the form refuses that: a file without an
// end would fill the memory.
func readFile(path string, most int) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, int64(most)+1))
}

// receiptFile is the file of a command's receipt. It is open before the command is
// given: a command is not entered whose receipt could not be kept.
type receiptFile struct {
	*os.File
	// made says that it was not there before, replaces that it holds the receipt of
	// an earlier try, and written that it has the command's.
	made, replaces, written bool
}

// openReceipt opens the file of the command's receipt, nil where none is named. It must
// be a new one, hold nothing, or hold a receipt of the same command, which is tried
// again; again is nil for a command that cannot be. What is no regular file, such as a
// pipe, has nothing to lose.
func openReceipt(path string, again func() (bool, error)) (*receiptFile, error) {
	if path == "" {
		return nil, nil
	}
	file, err := bookdir.NewFile(path, 0o644)
	if err == nil {
		return &receiptFile{File: file, made: true}, nil
	}
	info, missing := os.Stat(path)
	if !errors.Is(err, bookdir.ErrFileExists) || missing != nil || info.IsDir() {
		return nil, fmt.Errorf("the receipt: %w", err)
	}
	replaces := info.Mode().IsRegular() && info.Size() > 0
	if replaces && again == nil {
		return nil, fmt.Errorf("the receipt: %w", err)
	}
	if replaces {
		mine, reading := again()
		if reading != nil {
			return nil, fmt.Errorf("the receipt: %w", reading)
		}
		if !mine {
			return nil, fmt.Errorf("the receipt: %w", err)
		}
	}
	if file, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil {
		return nil, fmt.Errorf("the receipt: %w", err)
	}
	return &receiptFile{File: file, replaces: replaces}, nil
}

// isReceipt reports whether a file holds a receipt of the process's command.
func (s *session) isReceipt(ctx context.Context, path string) (bool, error) {
	text, err := readFile(path, transparency.MaxReceipt)
	if err != nil {
		return false, err
	}
	r, err := transparency.ParseReceipt(text)
	if err != nil {
		return false, nil //nolint:nilerr // it holds something else
	}
	return s.book.Receipted(ctx, r, s.id)
}

// put writes the receipt, where it is wanted.
func (r *receiptFile) put(text []byte) error {
	if r == nil {
		return nil
	}
	_, err := r.Write(text)
	if err == nil && r.replaces { // which may have been longer
		err = r.Truncate(int64(len(text)))
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("write the receipt: %w", &unwritten{err})
	}
	r.written = true
	return nil
}

// end removes the file where no receipt came into it.
func (r *receiptFile) end() error {
	if r == nil || r.written {
		return nil
	}
	_ = r.Close() // nothing was written, or it failed and was told
	if r.made {
		return os.Remove(r.Name())
	}
	return nil
}
