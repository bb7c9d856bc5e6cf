package s3

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/ledger"
)

// A bucket whose disk is full takes nothing: where receipts wait for the archive no
// command gets one, and each is entered once when it is given again and there is room.
// Then the book comes back from the bucket alone.
func TestFullBucket(t *testing.T) {
	disk := smallDisk(t)
	s, err := start(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	if err := s.admin.MakeBucket(t.Context(), "books", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	to := "s3://books/acme?region=us-east-1&endpoint=" + url.QueryEscape("http://"+s.endpoint)
	dir, o := book(t)
	escrow, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	b, err := bookdir.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ArchiveTo(t.Context(), bookdir.Archive{To: to, Recipients: []string{escrow.Recipient().String()}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Backup(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.RequireArchive(true), b.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	if b, err = bookdir.Open(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	enter(t, b)
	var given []ledger.Envelope
	for range 3 {
		id := uuid.Must(uuid.NewV7())
		given = append(given, ledger.Envelope{ID: id, Principal: "owner", Command: &customer.Register{
			ID: id, Country: "GB", Personal: &customer.Profile{Name: "Ada"},
		}})
	}
	empty := fill(t, disk)
	for _, e := range given {
		_, err := b.Do(t.Context(), e)
		var refusal *domain.Refusal
		switch {
		case errors.Is(err, ledger.ErrOutcomeUnknown):
		case errors.As(err, &refusal) && refusal.Code == ledger.CodeArchiveBehind:
		default:
			t.Fatalf("a command for a full bucket: %v", err)
		}
		t.Logf("whoever gives a command is told: %v", err)
	}
	empty()
	for _, e := range given {
		for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if _, err = b.Do(t.Context(), e); err == nil {
				break
			} else if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	place, err := archive.Open(to, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	done, err := bookdir.Restore{
		From: place, Identities: archive.Identities{escrow}, Root: o.Root, Principal: "owner", Clock: o.Clock, Log: o.Log,
	}.Do(t.Context(), filepath.Join(t.TempDir(), "restored"))
	if err != nil || done.Head.Size != 5 || done.Loss != nil {
		t.Fatalf("%+v, %v", done, err)
	}
}

// smallDisk mounts a file system of its own, which takes root.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a small disk takes root")
	}
	image, at := filepath.Join(t.TempDir(), "image"), t.TempDir()
	err := os.WriteFile(image, nil, 0o600)
	if err == nil {
		err = os.Truncate(image, 32<<20)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-F", image}, {"mount", "-o", "loop", image, at}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("a small disk takes a loop device and ext4: %v %s", err, out)
		}
	}
	t.Cleanup(func() {
		for tries := 0; ; tries++ { // the server may hold it for a moment more
			if err := syscall.Unmount(at, 0); err == nil || tries == 100 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return at
}

// fill leaves no room on a disk, until empty gives it back.
func fill(t *testing.T, disk string) (empty func()) {
	t.Helper()
	path := filepath.Join(disk, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var at int64
	for size := int64(16 << 20); size >= 1024; {
		if err := syscall.Fallocate(int(f.Fd()), 0, at, size); err == nil {
			at += size
		} else if size /= 2; !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return func() {
		t.Helper()
		if err := errors.Join(f.Close(), os.Remove(path)); err != nil {
			t.Fatal(err)
		}
	}
}
