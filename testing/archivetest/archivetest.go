// Package archivetest is the conformance suite of the places for archives.
package archivetest

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/archive"
)

// Place checks what every archive.Place must do. nothing gives one that holds nothing.
func Place(t *testing.T, nothing func(*testing.T) archive.Place) {
	t.Helper()
	empty := func(t *testing.T) archive.Place {
		t.Helper()
		p := nothing(t)
		for _, folder := range []string{"", "a/b", "x", "a/b", ""} {
			if err := p.Begin(t.Context(), folder); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	t.Run("PutOnce", func(t *testing.T) {
		p := empty(t)
		if err := p.Put(t.Context(), "a/b/1", []byte("one")); err != nil {
			t.Fatal(err)
		}
		if err := p.Put(t.Context(), "a/b/1", []byte("two")); !errors.Is(err, archive.ErrExists) {
			t.Errorf("put twice: %v", err)
		}
		if got, err := p.Get(t.Context(), "a/b/1"); err != nil || string(got) != "one" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("OneOfManyPuts", func(t *testing.T) {
		p := empty(t)
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { errs[i] = p.Put(t.Context(), "x/one", bytes.Repeat([]byte{byte(i)}, 100_000)) })
		}
		wg.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won < 0:
				won = i
			case err == nil:
				t.Errorf("both %d and %d were put", won, i)
			case !errors.Is(err, archive.ErrExists):
				t.Error(err)
			}
		}
		if got, err := p.Get(t.Context(), "x/one"); err != nil || won < 0 || !bytes.Equal(got, bytes.Repeat([]byte{byte(won)}, 100_000)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("Replace", func(t *testing.T) {
		p := empty(t)
		for _, content := range []string{"a long content that is replaced", "short", ""} {
			if err := p.Replace(t.Context(), "r", []byte(content)); err != nil {
				t.Fatal(err)
			}
			if got, err := p.Get(t.Context(), "r"); err != nil || string(got) != content {
				t.Errorf("%q, %v", got, err)
			}
		}
	})
	t.Run("List", func(t *testing.T) {
		p := nothing(t)
		if names, err := p.List(t.Context(), ""); err != nil || len(names) != 0 {
			t.Errorf("an empty place: %q, %v", names, err)
		}
		for _, folder := range []string{"d/deep", "dd"} {
			if err := p.Begin(t.Context(), folder); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"d/2", "d/10", "d/deep/x", "dd/1", "top"} {
			if err := p.Put(t.Context(), name, []byte(name)); err != nil {
				t.Fatal(err)
			}
		}
		for _, folder := range []string{"", "d", "nowhere"} { // which leaves objects alone
			if err := p.Sweep(t.Context(), folder); err != nil {
				t.Error(err)
			}
		}
		for folder, want := range map[string][]string{
			"": {"d/", "dd/", "top"}, "d": {"10", "2", "deep/"}, "d/deep": {"x"}, "nowhere": nil,
		} {
			if names, err := p.List(t.Context(), folder); err != nil || !slices.Equal(names, want) {
				t.Errorf("%q: %q, %v", folder, names, err)
			}
		}
	})
	t.Run("Remove", func(t *testing.T) {
		p := empty(t)
		if err := p.Put(t.Context(), "a/1", []byte("x")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := p.Remove(t.Context(), "a/1"); err != nil {
				t.Error(err)
			}
		}
		if _, err := p.Get(t.Context(), "a/1"); !errors.Is(err, archive.ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
}
