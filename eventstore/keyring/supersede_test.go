package keyring

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A ring that takes the place of another stays there, wherever the process that put it
// there died, and whatever is left of it where it was.
func TestSupersededOnce(t *testing.T) {
	for name, left := range map[string]func(t *testing.T, path, by string){
		"not begun": func(*testing.T, string, string) {},
		"erased and not removed": func(t *testing.T, path, by string) {
			content := must[[]byte](t)(os.ReadFile(by))
			file := must[*os.File](t)(os.OpenFile(by, os.O_RDWR, 0))
			if err := errors.Join(place(path, content), erase(file), file.Close()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, by := filepath.Join(t.TempDir(), "ring"), filepath.Join(t.TempDir(), "by")
			root := Secret(bytes.Repeat([]byte{5}, minKeyFile))
			r := must[*Ring](t)(Create(path, root))
			id := must[KeyID](t)(r.New(Facts))
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			must[[]byte](t)(Duplicate(path, by))
			left(t, path, by)
			if err := Alone(path, func() error { return Supersede(path, by) }); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(by); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("what took the place is still where it was: %v", err)
			}
			r = must[*Ring](t)(Open(path, root))
			must[[]byte](t)(r.Key(id))
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
