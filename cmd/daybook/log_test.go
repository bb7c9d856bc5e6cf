package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// Who serves a log is told once that it cannot be served, and who asks every time.
func TestALogThatCannotBeServed(t *testing.T) {
	d := newDesk(t)
	var stderr bytes.Buffer
	a := newApp(nil, strings.NewReader(""), &bytes.Buffer{}, &stderr, func(name string) string {
		return map[string]string{"DAYBOOK_CACHE_DIR": cacheDir()}[name]
	})
	a.dir, a.keyFile = d.path("book"), d.path("key")
	s, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(t.Context())
	dir := d.path("served")
	export, err := s.book.NewTileExport(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	handler := a.tileHandler(export, dir)
	asks := func(want int) {
		t.Helper()
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/checkpoint", nil))
		if answer.Code != want {
			t.Errorf("answered with %d, want %d: %s", answer.Code, want, answer.Body)
		}
	}
	for round := 1; round <= 2; round++ {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir, nil, 0o600); err != nil { // so that no folder can be made
			t.Fatal(err)
		}
		asks(http.StatusInternalServerError)
		asks(http.StatusInternalServerError)
		if told := strings.Count(stderr.String(), "the log cannot be served"); told != round {
			t.Errorf("told %d times of %d failures: %s", told, round, &stderr)
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		asks(http.StatusOK)
	}
}
