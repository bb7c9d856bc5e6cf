package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/testing/archivetest"
)

func TestFolder(t *testing.T) {
	archivetest.Place(t, func(t *testing.T) archive.Place {
		t.Helper()
		f, err := archive.NewFolder(filepath.Join(t.TempDir(), "not there yet", "place"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	})
}

// A write that was cut short leaves nothing that counts.
func TestARestOfAWriteIsNoObject(t *testing.T) {
	dir := t.TempDir()
	f, err := archive.NewFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".new-1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := f.List(t.Context(), ""); err != nil || len(names) != 0 {
		t.Errorf("%q, %v", names, err)
	}
}

// What a writing that was cut short left goes, what a living process writes stays, and
// so does what was put in its place under the same name of the disk.
func TestRestsOfWritesAreSwept(t *testing.T) {
	dir := t.TempDir()
	f, err := archive.NewFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{".new-1": "keys", ".new-2": "under way", "ring.age": "the ring"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "ring.age"), filepath.Join(dir, ".new-3")); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(filepath.Join(dir, ".new-2"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := unix.Flock(int(writer.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"", "nowhere"} {
		if err := f.Sweep(t.Context(), folder); err != nil {
			t.Errorf("%q: %v", folder, err)
		}
	}
	for name, want := range map[string]string{".new-1": "", ".new-2": "under way", ".new-3": "", "ring.age": "the ring"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// Segments go where their log is, and nowhere else: the disk may not be mounted.
func TestAFolderThatIsElsewhere(t *testing.T) {
	dir := t.TempDir()
	f, err := archive.NewFolder(filepath.Join(dir, "place"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), "log/segments/1", []byte("x")); !errors.Is(err, archive.ErrUnreachable) {
		t.Errorf("put where no log is: %v", err)
	}
	if err := f.Replace(t.Context(), "log/ring.age", []byte("x")); !errors.Is(err, archive.ErrUnreachable) {
		t.Errorf("replaced where no log is: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestAFolderStaysInItself(t *testing.T) {
	f, err := archive.NewFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../out", "a/../../out", "/etc/passwd"} {
		if err := f.Put(t.Context(), name, []byte("x")); !errors.Is(err, archive.ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.Get(t.Context(), name); !errors.Is(err, archive.ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := archive.NewFolder(filepath.Join(path, "below"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), "x", nil); !errors.Is(err, archive.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	if _, err := archive.Open("ftp://example.com/", time.Now); !errors.Is(err, archive.ErrPlace) {
		t.Errorf("%v", err)
	}
}

func TestURLsOfBuckets(t *testing.T) {
	for text, want := range map[string]string{
		"s3://acme": "s3://acme", "s3://acme/books/1?endpoint=http://127.0.0.1:9&region=eu-1&lock-days=30&lock=compliance": "s3://acme/books/1",
	} {
		if p, err := archive.Open(text, time.Now); err != nil || p.String() != want {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{
		"", "s3://", "s3://key:secret@acme", "s3://acme?lock-days=0", "s3://acme?lock=never", "s3://acme?other=1", "s3://acme?endpoint=host",
		"s3://acme?endpoint=ftp://host", "s3://acme?region=a&region=b", "gs://acme", "s3://acme?%zz",
	} {
		p, err := archive.Open(text, time.Now)
		if !errors.Is(err, archive.ErrPlace) {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

// A bucket that nobody answers for cannot be reached, and says so soon.
func TestABucketThatIsNotThere(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "k")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	b, err := archive.Open("s3://acme/x?endpoint=http://127.0.0.1:1&region=eu-1", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "x", []byte("x")); !errors.Is(err, archive.ErrUnreachable) {
		t.Errorf("put: %v", err)
	}
	if _, err := b.Get(t.Context(), "x"); !errors.Is(err, archive.ErrUnreachable) {
		t.Errorf("get: %v", err)
	}
	if _, err := b.List(t.Context(), "x"); !errors.Is(err, archive.ErrUnreachable) {
		t.Errorf("list: %v", err)
	}
}

// The old content is whole until the name is known to be that of the new one: a power cut
// may bring it back.
func TestReplaceKeepsTheOldUntilTheNameIsFlushed(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read every folder")
	}
	dir := t.TempDir()
	f, err := archive.NewFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "old")
	err = f.Replace(t.Context(), "ring", []byte("old"))
	if err := errors.Join(err, os.Link(filepath.Join(dir, "ring"), old), os.Chmod(dir, 0o300)); err != nil {
		t.Fatal(err)
	}
	err = f.Replace(t.Context(), "ring", []byte("new")) // a folder that cannot be read cannot be flushed
	if !errors.Is(err, archive.ErrDenied) {
		t.Errorf("%v", err)
	}
	if content, err := os.ReadFile(old); err != nil || string(content) != "old" {
		t.Errorf("the old file holds %q, %v", content, err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Replace(t.Context(), "ring", []byte("newest")); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "ring")); err != nil || string(content) != "newest" {
		t.Errorf("%q, %v", content, err)
	}
}
