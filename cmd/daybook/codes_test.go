package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// TestCodesAreDocumented holds that docs/CLI.md lists every code that an error
// can have, and none that no error has.
func TestCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/CLI.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n## Codes\n")
	if !found {
		t.Fatal("docs/CLI.md has no codes")
	}
	documented := map[string]bool{}
	last := ""
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\| (.*) \\|$").FindAllStringSubmatch(table, -1) {
		if row[1] <= last || len(row[2]) < 10 {
			t.Errorf("docs/CLI.md: %s is out of order, or says nothing", row[1])
		}
		last = row[1]
		documented[last] = true
	}
	used := usedCodes(t)
	// Package bookdir tells these by other names, or gives codes of its own.
	for _, inner := range []string{transparency.CodeForeign, transparency.CodeLost, transparency.CodeCommit} {
		delete(used, inner)
	}
	for _, code := range slices.Sorted(maps.Keys(used)) {
		if !documented[code] {
			t.Errorf("docs/CLI.md does not list the code %q (%s)", code, used[code])
		}
	}
	for code := range documented {
		if used[code] == "" {
			t.Errorf("docs/CLI.md lists the code %q, which nothing gives", code)
		}
	}
	if len(used) < 100 {
		t.Errorf("only %d codes were found in the source: the search is broken", len(used))
	}
}

// usedCodes finds the codes in the source, each with a place where it is given.
func usedCodes(t *testing.T) map[string]string {
	t.Helper()
	codes := map[string]string{}
	for _, root := range []string{"domain", "importer", "ledger", "projections", "cmd", "eventstore/page", "eventstore/transparency", "eventstore/bundle"} {
		err := filepath.WalkDir(filepath.Join("../..", root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "internal") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				for _, code := range codesOf(n) {
					codes[code] = path
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return codes
}

// codesOf gives the codes that a piece of source gives: the first argument of a
// refusal, fault or failure, constants named Code…, the field Code, and the
// second element in a row of known errors.
func codesOf(n ast.Node) (codes []string) {
	add := func(e ast.Expr) {
		literal, is := e.(*ast.BasicLit)
		if !is || literal.Kind != token.STRING {
			return
		}
		if text, err := strconv.Unquote(literal.Value); err == nil && codeForm.MatchString(text) {
			codes = append(codes, text)
		}
	}
	switch n := n.(type) {
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.SelectorExpr:
			name = f.Sel.Name
		case *ast.Ident:
			name = f.Name
		}
		if slices.Contains([]string{"Refuse", "fault", "fail"}, name) && len(n.Args) > 0 {
			add(n.Args[0])
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if strings.HasPrefix(strings.ToLower(name.Name), "code") && i < len(n.Values) {
				add(n.Values[i])
			}
		}
	case *ast.KeyValueExpr:
		if key, is := n.Key.(*ast.Ident); is && strings.EqualFold(key.Name, "code") {
			add(n.Value)
		}
	case *ast.CompositeLit:
		if name, is := n.Type.(*ast.Ident); is && name.Name == "Fault" && len(n.Elts) > 0 {
			add(n.Elts[0])
		}
		if n.Type == nil && len(n.Elts) == 3 { // a row of known
			add(n.Elts[1])
		}
	}
	return codes
}

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
