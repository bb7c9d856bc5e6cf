package csvfile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/daybook-ledger/daybook/domain"
)

// maxWindow bounds the memory that a compressed file may ask for, in bytes.
// What the usual tools make stays below it, at their highest levels too.
const maxWindow = 128 << 20

// Source is a file to be imported, decompressed as it is read. Its Progress may
// be called by other goroutines.
type Source struct {
	io.Reader
	raw  *countingReader
	size int64
	// closers in the order of closing.
	closers []func() error
}

// Open opens a file: CSV, or CSV compressed with xz, gzip or zstd. A name that
// ends in .xz, .gz or .zst says how it is compressed; the first bytes tell it
// of any other file, and of stdin, which the path "-" stands for. Of a damaged
// compressed file the error comes here or from Read: "damaged-file".
func Open(path string, stdin io.Reader) (*Source, error) {
	if path == "-" {
		return newSource(stdin, "", 0)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("importer/csvfile: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("importer/csvfile: %w", err), file.Close())
	}
	size := info.Size()
	if !info.Mode().IsRegular() {
		size = 0
	}
	s, err := newSource(file, filepath.Ext(path), size)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s.closers = append(s.closers, file.Close)
	return s, nil
}

// newSource reads r, which was size bytes when it was opened (0 where that is
// not known).
func newSource(r io.Reader, extension string, size int64) (*Source, error) {
	s := &Source{raw: &countingReader{in: r}, size: size}
	in := bufio.NewReaderSize(s.raw, 64<<10)
	form := strings.ToLower(extension)
	if form != ".xz" && form != ".gz" && form != ".zst" {
		head, err := in.Peek(6)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, damaged(err)
		}
		form = sniff(head)
	}
	if err := s.decompress(form, in); err != nil {
		return nil, err
	}
	return s, nil
}

// sniff tells a compressed file by its first bytes.
func sniff(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return ".xz"
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return ".gz"
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return ".zst"
	}
	return ""
}

func (s *Source) decompress(form string, in *bufio.Reader) error {
	switch form {
	case ".xz":
		if err := checkWindow(in); err != nil {
			return err
		}
		r, err := xz.NewReader(in)
		if err != nil {
			return damaged(err)
		}
		s.Reader = r
	case ".gz":
		r, err := gzip.NewReader(in)
		if err != nil {
			return damaged(err)
		}
		s.Reader = r // nothing to close: what is damaged is told by Read
	case ".zst":
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return damaged(err)
		}
		s.Reader = r
		s.closers = append(s.closers, func() error { r.Close(); return nil })
	default:
		s.Reader = in
	}
	return nil
}

// checkWindow refuses an xz file whose first block asks for a window beyond
// maxWindow, before the decompressor makes room for it.
func checkWindow(in *bufio.Reader) error {
	const streamHeader = 12
	head, _ := in.Peek(streamHeader + 1024) // shorter at the end of the file
	if len(head) < streamHeader+2 || head[streamHeader] == 0 {
		return nil // no block; the decompressor judges it
	}
	block := head[streamHeader:]
	flags, rest := block[1], block[2:]
	skip := 0 // sizes that may stand before the filters
	for _, flag := range []byte{0x40, 0x80} {
		if flags&flag != 0 {
			skip++
		}
	}
	for range skip {
		_, n := binary.Uvarint(rest)
		if n <= 0 {
			return nil
		}
		rest = rest[n:]
	}
	// A single LZMA2 filter: its id, the size of its properties, the window.
	if len(rest) < 3 || rest[0] != 0x21 || rest[1] != 1 || rest[2] > 40 {
		return nil
	}
	bits := rest[2]
	if window := uint64(2|bits&1) << (bits/2 + 11); window > maxWindow {
		return domain.Refuse(CodeDamagedFile, "the file is compressed with a window of %d MiB, more than %d MiB",
			window>>20, maxWindow>>20).WithHint("compress it with xz -9 or less")
	}
	return nil
}

// Progress says how many bytes of the file, as it is stored, were read, and how
// many there are: 0 where that is not known.
func (s *Source) Progress() (read, size int64) { return s.raw.n.Load(), s.size }

// Close closes the file. It does not close stdin.
func (s *Source) Close() error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("importer/csvfile: close: %w", err)
	}
	return nil
}

type countingReader struct {
	in io.Reader
	n  atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n.Add(int64(n))
	return n, err
}
