// Package s3 holds archives in buckets against a real S3 server, versitygw. It is a
// module of its own, for the server has many dependencies.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	domainbook "github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/testing/archivetest"
)

const key, secret = "daybook", "daybook-secret"

var (
	endpoint, program string
	admin             *minio.Client
)

func TestMain(m *testing.M) { os.Exit(serve(m)) }

// serve runs the server while the tests run.
func serve(m *testing.M) int {
	dir, err := os.MkdirTemp("", "daybook-s3-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "versitygw")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/versity/versitygw/cmd/versitygw").CombinedOutput(); err != nil {
		panic(string(out))
	}
	_ = os.Setenv("AWS_ACCESS_KEY_ID", key)
	_ = os.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	s, err := start(dir)
	if err != nil {
		panic(err)
	}
	defer s.stop()
	endpoint, admin = s.endpoint, s.admin
	return m.Run()
}

// server is a running server.
type server struct {
	endpoint string
	admin    *minio.Client
	process  *exec.Cmd
}

// start starts a server that keeps everything below a folder, and waits until it
// answers.
func start(dir string) (*server, error) {
	for _, below := range []string{"buckets", "versions", "users"} {
		if err := os.Mkdir(filepath.Join(dir, below), 0o700); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &server{endpoint: fmt.Sprintf("127.0.0.1:%d", port)}
	s.process = exec.Command(program, "--port", s.endpoint, "--access", key, "--secret", secret, "--iam-dir", filepath.Join(dir, "users"), "--quiet",
		"posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "buckets"))
	s.process.Stdout, s.process.Stderr = os.Stderr, os.Stderr
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	s.admin, err = minio.New(s.endpoint, &minio.Options{Creds: credentials.NewStaticV4(key, secret, ""), Region: "us-east-1"})
	for end := time.Now().Add(time.Minute); err == nil; time.Sleep(20 * time.Millisecond) {
		_, late := s.admin.ListBuckets(context.Background())
		if late == nil {
			return s, nil
		}
		if time.Now().After(end) {
			err = late
		}
	}
	s.stop()
	return nil, err
}

func (s *server) stop() { _ = s.process.Process.Kill(); _ = s.process.Wait() }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

var made int

// bucket makes a bucket.
func bucket(t *testing.T, o minio.MakeBucketOptions) string {
	t.Helper()
	made++
	name := fmt.Sprintf("bucket-%d", made)
	if err := admin.MakeBucket(t.Context(), name, o); err != nil {
		t.Fatal(err)
	}
	return name
}

func place(t *testing.T, bucket, options string) archive.Place {
	t.Helper()
	p, err := archive.Open("s3://"+bucket+"?region=us-east-1&endpoint="+url.QueryEscape("http://"+endpoint)+options, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBucket(t *testing.T) {
	archivetest.Place(t, func(t *testing.T) archive.Place { return place(t, bucket(t, minio.MakeBucketOptions{}), "") })
}

func TestBucketBelowAPrefix(t *testing.T) {
	archivetest.Place(t, func(t *testing.T) archive.Place {
		return place(t, bucket(t, minio.MakeBucketOptions{})+"/books/acme", "")
	})
}

// What is put once is locked; what is replaced is not, and leaves no older version.
func TestObjectLock(t *testing.T) {
	name := bucket(t, minio.MakeBucketOptions{ObjectLocking: true})
	p := place(t, name, "&lock-days=1&lock=compliance")
	if err := p.Put(t.Context(), "log/segment", []byte("pages")); err != nil {
		t.Fatal(err)
	}
	if err := p.Put(t.Context(), "log/segment", []byte("other")); !errors.Is(err, archive.ErrExists) {
		t.Errorf("put twice: %v", err)
	}
	put, err := admin.StatObject(t.Context(), name, "log/segment", minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	until, err := time.Parse(time.RFC3339, put.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	if mode := put.Metadata.Get("X-Amz-Object-Lock-Mode"); err != nil || mode != "COMPLIANCE" || until.Before(time.Now().Add(23*time.Hour)) {
		t.Errorf("locked in mode %q until %v, %v", mode, until, err)
	}
	// Its version cannot be removed by anybody.
	versions := versionsOf(t, name, "log/segment")
	err = admin.RemoveObject(t.Context(), name, "log/segment", minio.RemoveObjectOptions{VersionID: versions[0]})
	if err == nil {
		t.Error("a locked version was removed")
	}
	for _, content := range []string{"first", "second", "third"} {
		if err := p.Replace(t.Context(), "log/ring", []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := p.Get(t.Context(), "log/ring"); err != nil || !bytes.Equal(got, []byte("third")) {
		t.Errorf("%q, %v", got, err)
	}
	if versions := versionsOf(t, name, "log/ring"); len(versions) != 1 {
		t.Errorf("%d versions of what was replaced", len(versions))
	}
}

func versionsOf(t *testing.T, bucket, key string) (ids []string) {
	t.Helper()
	for o := range admin.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Prefix: key, WithVersions: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		ids = append(ids, o.VersionID)
	}
	return ids
}

func TestRevokedCredentials(t *testing.T) {
	name := bucket(t, minio.MakeBucketOptions{})
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	p := place(t, name, "")
	for what, err := range map[string]error{
		"put": p.Put(t.Context(), "x", []byte("x")), "replace": p.Replace(t.Context(), "x", []byte("x")), "remove": p.Remove(t.Context(), "x"),
	} {
		if !errors.Is(err, archive.ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && strings.Contains(err.Error(), "another") {
			t.Errorf("%s: the error tells the secret", what)
		}
	}
	if _, err := p.Get(t.Context(), "x"); !errors.Is(err, archive.ErrDenied) {
		t.Errorf("get: %v", err)
	}
	if _, err := p.List(t.Context(), ""); !errors.Is(err, archive.ErrDenied) {
		t.Errorf("list: %v", err)
	}
}

// A book comes back from a bucket alone; and credentials that may only write are
// enough to archive it.
func TestABookInABucket(t *testing.T) {
	for name, writer := range map[string]func(t *testing.T, bucket string){
		"everything": func(*testing.T, string) {}, "writing only": writeOnly,
	} {
		t.Run(name, func(t *testing.T) {
			b := bucket(t, minio.MakeBucketOptions{})
			to := "s3://" + b + "/books?region=us-east-1&endpoint=" + url.QueryEscape("http://"+endpoint)
			dir, o := book(t)
			escrow, err := age.GenerateHybridIdentity()
			if err != nil {
				t.Fatal(err)
			}
			t.Run("archive", func(t *testing.T) {
				writer(t, b)
				for range 2 {
					opened, err := bookdir.Open(t.Context(), dir, o)
					if err != nil {
						t.Fatal(err)
					}
					if err := opened.ArchiveTo(t.Context(), bookdir.Archive{To: to, Recipients: []string{escrow.Recipient().String()}}); err != nil {
						t.Fatal(err)
					}
					enter(t, opened)
					if _, err := opened.Backup(t.Context(), nil); err != nil {
						t.Fatal(err)
					}
					if err := opened.Close(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			})
			place, err := archive.Open(to, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			report, err := bookdir.ArchiveCheck{From: place, Identities: archive.Identities{escrow}, Log: slog.New(slog.DiscardHandler)}.Do(t.Context())
			if err != nil || !report.OK || report.Size != 3 || report.Segments != 2 {
				t.Fatalf("%+v, %v", report, err)
			}
			restored := filepath.Join(t.TempDir(), "restored")
			done, err := bookdir.Restore{
				From: place, Identities: archive.Identities{escrow}, Root: o.Root, Principal: "owner", Clock: o.Clock, Log: o.Log,
			}.Do(t.Context(), restored)
			if err != nil || done.Head.Size != 3 || done.Loss != nil {
				t.Fatalf("%+v, %v", done, err)
			}
		})
	}
}

// A bucket that permits nothing any more is found out, also where nothing is new; and
// what is missing from one is written again.
func TestABucketThatPermitsNothing(t *testing.T) {
	b := bucket(t, minio.MakeBucketOptions{})
	to := "s3://" + b + "/books?region=us-east-1&endpoint=" + url.QueryEscape("http://"+endpoint)
	dir, o := book(t)
	escrow, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	backup := func() error {
		opened, err := bookdir.Open(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		err = opened.ArchiveTo(t.Context(), bookdir.Archive{To: to, Recipients: []string{escrow.Recipient().String()}})
		if err == nil {
			_, err = opened.Backup(t.Context(), nil)
		}
		return errors.Join(err, opened.Close(context.Background()))
	}
	if err := backup(); err != nil {
		t.Fatal(err)
	}
	for o := range admin.ListObjects(t.Context(), b, minio.ListObjectsOptions{Recursive: true}) {
		if strings.HasSuffix(o.Key, "/ring.age") {
			if err := admin.RemoveObject(t.Context(), b, o.Key, minio.RemoveObjectOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := backup(); err != nil {
		t.Fatal(err)
	}
	place, err := archive.Open(to, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := (bookdir.ArchiveCheck{From: place, Identities: archive.Identities{escrow}}).Do(t.Context()); err != nil || !report.OK {
		t.Errorf("%+v, %v", report, err)
	}
	writeOnly(t, b)
	if err := backup(); err != nil {
		t.Errorf("one that can be written to: %v", err)
	}
	if err := admin.SetBucketPolicy(t.Context(), b, ""); err != nil {
		t.Fatal(err)
	}
	if err := backup(); !errors.Is(err, archive.ErrDenied) {
		t.Errorf("one that permits nothing: %v", err)
	}
}

// writeOnly lets the test go on as a user who may only put objects into a bucket.
func writeOnly(t *testing.T, bucket string) {
	t.Helper()
	user := "writer-" + bucket
	create := exec.Command(program, "admin", "--allow-insecure", "--access", key, "--secret", secret, "--endpoint-url", "http://"+endpoint,
		"create-user", "--access", user, "--secret", "writer-secret", "--role", "user")
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[%q]},"Action":["s3:PutObject"],"Resource":["arn:aws:s3:::%s/*"]}]}`, user, bucket)
	if err := admin.SetBucketPolicy(t.Context(), bucket, policy); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", user)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "writer-secret")
}

// book makes a book.
func book(t *testing.T) (string, bookdir.Options) {
	t.Helper()
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, bytes.Repeat([]byte{0xd7}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	currency, err := money.ParseCurrency("GBP")
	if err != nil {
		t.Fatal(err)
	}
	o := bookdir.Options{Root: keyring.KeyFile(keyFile), Clock: bookdir.SystemClock(), Log: slog.New(slog.DiscardHandler)}
	dir := filepath.Join(t.TempDir(), "book")
	_, err = bookdir.Create(t.Context(), dir, bookdir.Settings{
		Seller: domainbook.Seller{Name: "Acme Ltd", Country: "GB"}, Currency: currency, Owner: "owner",
		Root: o.Root, Clock: o.Clock, Log: o.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, o
}

func enter(t *testing.T, b *bookdir.Book) {
	t.Helper()
	_, err := b.Do(t.Context(), ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner", Command: &customer.Register{
		ID: uuid.Must(uuid.NewV7()), Country: "GB", Personal: &customer.Profile{Name: "Ada"},
	}})
	if err != nil {
		t.Fatal(err)
	}
}
