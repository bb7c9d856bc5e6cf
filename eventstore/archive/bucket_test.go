package archive_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/archive"
)

// answers is a bucket that keeps one older version of everything, and answers a listing
// of versions and the removal of one with a status, where that is not 0.
type answers struct {
	list, remove int
	code         string // that goes with the status; "" for the usual one
}

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int) {
		w.WriteHeader(status)
		code := map[int]string{http.StatusForbidden: "AccessDenied", http.StatusNotFound: "NoSuchVersion", http.StatusNotImplemented: "NotImplemented"}[status]
		if a.code != "" {
			code = a.code
		}
		fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
	}
	switch {
	case r.Method == http.MethodPut:
		w.Header().Set("ETag", `"1"`)
	case r.Method == http.MethodDelete && a.remove != 0:
		fail(a.remove)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case a.list != 0:
		fail(a.list)
	default:
		fmt.Fprint(w, `<ListVersionsResult><Name>books</Name><Version><Key>ring</Key><VersionId>2</VersionId><IsLatest>true</IsLatest></Version>`+
			`<Version><Key>ring</Key><VersionId>1</VersionId><IsLatest>false</IsLatest></Version></ListVersionsResult>`)
	}
}

// Older versions, which may hold keys that were destroyed since, are left where they are
// only if the bucket does not let go of them, or has none. Any other error is told.
func TestOlderVersionsThatStay(t *testing.T) {
	for _, c := range []struct {
		answers
		want error
	}{
		{answers{}, nil},
		{answers{list: http.StatusForbidden}, nil},
		{answers{list: http.StatusNotImplemented}, nil},
		{answers{list: http.StatusMethodNotAllowed}, nil},
		{answers{list: http.StatusBadRequest}, nil},
		{answers{list: http.StatusBadRequest, code: "InvalidArgument"}, nil},
		{answers{list: http.StatusBadRequest, code: "ExpiredToken"}, archive.ErrUnreachable},
		{answers{list: http.StatusBadRequest, code: "RequestTimeout"}, archive.ErrUnreachable},
		{answers{remove: http.StatusBadRequest}, archive.ErrUnreachable},
		{answers{remove: http.StatusMethodNotAllowed}, archive.ErrUnreachable},
		{answers{remove: http.StatusForbidden}, nil},
		{answers{remove: http.StatusNotFound}, nil},
		{answers{list: http.StatusServiceUnavailable}, archive.ErrUnreachable},
		{answers{remove: http.StatusServiceUnavailable}, archive.ErrUnreachable},
	} {
		server := httptest.NewServer(c.answers)
		p, err := archive.NewBucket("s3://books?region=us-east-1&endpoint="+url.QueryEscape(server.URL), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Replace(t.Context(), "ring", []byte("x"))
		server.Close()
		if !errors.Is(err, c.want) {
			t.Errorf("list %d, remove %d %s: %v", c.list, c.remove, c.code, err)
		}
	}
}
