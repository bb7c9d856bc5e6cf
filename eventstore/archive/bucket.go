package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	// bucketWithin bounds one request, so that a place that hangs is one that
	// cannot be reached.
	bucketWithin = 2 * time.Minute
	// bucketTries is how often a request is tried.
	bucketTries = 3
	// maxLockDays bounds how long segments are locked.
	maxLockDays = 36500
)

// Bucket is a Place in an S3-compatible store. Its objects are put with If-None-Match,
// which the store must know. Credentials come from AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
type Bucket struct {
	client         *minio.Client
	bucket, prefix string
	// lock is how long objects that are put once are locked; 0 for not at all.
	lock time.Duration
	mode minio.RetentionMode
	now  func() time.Time
	text string
}

// NewBucket reads a URL:
//
//	s3://bucket/prefix?endpoint=https://s3.example.com&region=eu-1&lock-days=90&lock=compliance
//
// endpoint is that of AWS where none is named. With lock-days every segment is under
// object lock for so many days, in governance mode unless lock says compliance; what is
// replaced, the key ring above all, never is. ErrPlace.
func NewBucket(text string, now func() time.Time) (*Bucket, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("%w: not like s3://bucket/prefix, or with credentials in it", ErrPlace)
	}
	b := &Bucket{bucket: u.Host, prefix: strings.Trim(u.Path, "/"), mode: minio.Governance, now: now}
	b.text = "s3://" + u.Host + u.Path
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: its options", ErrPlace, b.text)
	}
	endpoint := &url.URL{Scheme: "https", Host: "s3.amazonaws.com"}
	region := ""
	for name, values := range query {
		err := error(nil)
		switch name {
		case "endpoint":
			endpoint, err = url.Parse(values[0])
			if err == nil && (endpoint.Host == "" || endpoint.Scheme != "https" && endpoint.Scheme != "http" || strings.Trim(endpoint.Path, "/") != "") {
				err = errors.New("not like https://host")
			}
		case "region":
			region = values[0]
		case "lock-days":
			var days int
			if days, err = strconv.Atoi(values[0]); err == nil && (days < 1 || days > maxLockDays) {
				err = errors.New("out of range")
			}
			b.lock = time.Duration(days) * 24 * time.Hour
		case "lock":
			if b.mode = minio.RetentionMode(strings.ToUpper(values[0])); !b.mode.IsValid() {
				err = errors.New("neither governance nor compliance")
			}
		default:
			err = errors.New("no such option")
		}
		if err != nil || len(values) != 1 {
			return nil, fmt.Errorf("%w: %s: the option %.40q: %w", ErrPlace, b.text, name, err)
		}
	}
	b.client, err = minio.New(endpoint.Host, &minio.Options{
		Creds: credentials.NewEnvAWS(), Secure: endpoint.Scheme == "https", Region: region, MaxRetries: bucketTries,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrPlace, b.text, err)
	}
	return b, nil
}

// String implements Place.
func (b *Bucket) String() string { return b.text }

// Begin implements Place: a bucket has no folders.
func (b *Bucket) Begin(context.Context, string) error { return nil }

// Sweep implements Place: an object is put whole.
func (b *Bucket) Sweep(context.Context, string) error { return nil }

func (b *Bucket) key(name string) string {
	if b.prefix == "" {
		return name
	}
	return b.prefix + "/" + name
}

// told is the error of an answer.
func (b *Bucket) told(err error, name string) error {
	switch answer := minio.ToErrorResponse(err); {
	case answer.Code == minio.NoSuchKey || answer.Code == minio.NoSuchVersion:
		return fmt.Errorf("%w: %s in %s", ErrNotFound, name, b.text)
	case answer.Code == minio.PreconditionFailed || answer.StatusCode == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %s in %s", ErrExists, name, b.text)
	case answer.Code == minio.AccessDenied || answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: %s: %w", ErrDenied, b.text, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, b.text, err)
}

func (b *Bucket) put(ctx context.Context, name string, content []byte, o minio.PutObjectOptions) error {
	ctx, cancel := context.WithTimeout(ctx, bucketWithin)
	defer cancel()
	o.ContentType, o.DisableMultipart, o.SendContentMd5 = "application/octet-stream", true, true
	_, err := b.client.PutObject(ctx, b.bucket, b.key(name), bytes.NewReader(content), int64(len(content)), o)
	if err != nil {
		return b.told(err, name)
	}
	return nil
}

// Put implements Place.
func (b *Bucket) Put(ctx context.Context, name string, content []byte) error {
	var o minio.PutObjectOptions
	o.SetMatchETagExcept("*")
	if b.lock > 0 {
		o.Mode, o.RetainUntilDate = b.mode, b.now().UTC().Add(b.lock)
	}
	return b.put(ctx, name, content, o)
}

// Replace implements Place. Older versions, where the bucket keeps them, are removed
// if that is permitted; else they stay until the bucket's own rules end them.
func (b *Bucket) Replace(ctx context.Context, name string, content []byte) error {
	if err := b.put(ctx, name, content, minio.PutObjectOptions{}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, bucketWithin)
	defer cancel()
	for v := range b.client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.key(name), WithVersions: true}) {
		if v.Err != nil && knowsNoVersions(v.Err) {
			return nil
		}
		if v.Err != nil {
			return b.unlessForbidden(v.Err, name)
		}
		if v.Key != b.key(name) || v.IsLatest || v.VersionID == "" || v.VersionID == "null" {
			continue
		}
		err := b.client.RemoveObject(ctx, b.bucket, v.Key, minio.RemoveObjectOptions{VersionID: v.VersionID})
		if err := b.unlessForbidden(err, name); err != nil {
			return err
		}
	}
	return nil
}

// unlessForbidden is the error of looking for older versions, or of removing one. What
// the bucket does not permit, or has none of, is passed over: trying again would change
// nothing. After any other error they may still be there.
func (b *Bucket) unlessForbidden(err error, name string) error {
	if err == nil || minio.ToErrorResponse(err).StatusCode == http.StatusNotImplemented {
		return nil
	}
	if err := b.told(err, name); !errors.Is(err, ErrDenied) && !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

// knowsNoVersions reports whether a store refused to list versions because it has no such
// question, and so keeps none that could be listed. There is no one answer for that: stores
// give 405 or 400, and 501, which is passed over anyway. A request that came too late, or
// with credentials that ended just then, is 400 as well: that says nothing of versions.
func knowsNoVersions(err error) bool {
	answer := minio.ToErrorResponse(err)
	switch answer.StatusCode {
	case http.StatusMethodNotAllowed:
		return true
	case http.StatusBadRequest:
		return !slices.Contains([]string{"AuthorizationHeaderMalformed", "ExpiredToken", "InvalidToken", "RequestTimeout", "TokenRefreshRequired"}, answer.Code)
	}
	return false
}

// Get implements Place.
func (b *Bucket) Get(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, bucketWithin)
	defer cancel()
	o, err := b.client.GetObject(ctx, b.bucket, b.key(name), minio.GetObjectOptions{})
	if err != nil {
		return nil, b.told(err, name)
	}
	defer o.Close()
	content, err := io.ReadAll(o)
	if err != nil {
		return nil, b.told(err, name)
	}
	return content, nil
}

// List implements Place.
func (b *Bucket) List(ctx context.Context, folder string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, bucketWithin)
	defer cancel()
	prefix := b.key(folder)
	if prefix != "" {
		prefix = strings.TrimSuffix(prefix, "/") + "/"
	}
	var names []string
	for o := range b.client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: prefix}) {
		if o.Err != nil {
			return nil, b.told(o.Err, folder)
		}
		if name := strings.TrimPrefix(o.Key, prefix); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Remove implements Place. What is locked stays: ErrDenied.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, bucketWithin)
	defer cancel()
	if err := b.client.RemoveObject(ctx, b.bucket, b.key(name), minio.RemoveObjectOptions{}); err != nil {
		if err := b.told(err, name); !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
