// Package arch holds the rules of the architecture as a test: which package may
// import which, and what only cmd may do.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/daybook-ledger/daybook"

// file is one Go file of the module.
type file struct {
	path string // from the module's root, with slashes
	test bool
	ast  *ast.File
}

func (f file) dir() string { return filepath.ToSlash(filepath.Dir(f.path)) }

func (f file) imports() []string {
	var paths []string
	for _, i := range f.ast.Imports {
		paths = append(paths, strings.Trim(i.Path.Value, `"`))
	}
	return paths
}

func files(t *testing.T) []file {
	t.Helper()
	root := "../.."
	var found []file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); path != root && err == nil {
				return filepath.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		found = append(found, file{filepath.ToSlash(relative), strings.HasSuffix(path, "_test.go"), parsed})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Fatalf("only %d Go files found: the rules would hold for want of code", len(found))
	}
	return found
}

func under(path string, folders ...string) bool {
	for _, folder := range folders {
		if path == folder || strings.HasPrefix(path, folder+"/") {
			return true
		}
	}
	return false
}

// Each rule says what the packages below a folder may import of this module.
// A package may always import what lies below the same folder, but for the
// exceptions named in forbidden.
var allowed = map[string][]string{
	"domain":      {},
	"eventstore":  {},
	"ledger":      {"domain", "eventstore"},
	"projections": {"domain", "eventstore", "ledger/commit"},
	"importer":    {"domain"},
	"exporter":    {"domain", "projections"},
	"cmd":         {"domain", "eventstore", "ledger", "projections", "importer", "exporter"},
	"testing":     {"domain", "eventstore", "ledger", "projections", "importer", "exporter", "cmd"},
}

// Adapters are wired in cmd and nowhere else.
var adapters = []string{"eventstore/memory", "eventstore/jetstream", "projections/sqlite", "projections/postgres", "ledger/remote", "eventstore/archive"}

func TestDependenciesRunOneWay(t *testing.T) {
	for _, f := range files(t) {
		top, _, _ := strings.Cut(f.dir(), "/")
		may, known := allowed[top]
		if !known {
			t.Errorf("%s: no rule for the folder %s", f.path, top)
			continue
		}
		for _, imported := range f.imports() {
			own, found := strings.CutPrefix(imported, module+"/")
			if !found {
				continue
			}
			if under(own, "testing") && !f.test && top != "testing" {
				t.Errorf("%s imports %s: only tests may", f.path, own)
			}
			if f.test && under(own, "testing", "eventstore/memory", "domain") {
				continue
			}
			if under(own, "testing") && top == "testing" {
				continue
			}
			if !under(own, top) && !under(own, may...) {
				t.Errorf("%s imports %s: %s may import only %v", f.path, own, top, may)
			}
			if slices.Contains(adapters, own) && top != "cmd" && top != "testing" && !under(f.dir(), own) && !f.test {
				t.Errorf("%s imports the adapter %s: only cmd may", f.path, own)
			}
		}
	}
}

func TestDomainIsPure(t *testing.T) {
	outside := []string{"github.com/google/uuid", "github.com/fxamacker/cbor/v2"}
	impure := []string{"context", "os", "net", "log", "io/fs", "math/rand", "crypto/rand", "database/sql", "syscall", "runtime", "sync"}
	for _, f := range files(t) {
		if f.test || !under(f.dir(), "domain") {
			continue
		}
		for _, imported := range f.imports() {
			first, _, _ := strings.Cut(imported, "/")
			standard := !strings.Contains(first, ".")
			if standard && under(imported, impure...) {
				t.Errorf("%s imports %s: the domain does no I/O and has no clock, context, log or randomness", f.path, imported)
			}
			if !standard && !under(imported, module+"/domain") && !slices.Contains(outside, imported) {
				t.Errorf("%s imports %s: the domain may use only %v", f.path, imported, outside)
			}
		}
	}
}

func TestOnlyCmdReadsTheClock(t *testing.T) {
	for _, f := range files(t) {
		if f.test || under(f.dir(), "cmd", "testing") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && s.Sel.Name == "Now" {
					t.Errorf("%s calls time.Now: clocks are passed in", f.path)
				}
			}
			return true
		})
	}
}

var vague = regexp.MustCompile(`(Manager|Helper|Util|Utils|Impl|Service|Base)$|^Get[A-Z]`)

func TestNamesSayWhatThingsAre(t *testing.T) {
	for _, f := range files(t) {
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if vague.MatchString(d.Name.Name) {
					t.Errorf("%s: %s", f.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok && vague.MatchString(ts.Name.Name) {
						t.Errorf("%s: %s", f.path, ts.Name.Name)
					}
				}
			}
		}
	}
}

// Every package says in its comment what it is for.
func TestPackagesAreDescribed(t *testing.T) {
	described := make(map[string]bool)
	for _, f := range files(t) {
		if !f.test {
			described[f.dir()] = described[f.dir()] || f.ast.Doc != nil
		}
	}
	for dir, ok := range described {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}
