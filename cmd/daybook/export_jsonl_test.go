package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// python is Debian's interpreter, which has Debian's modules.
const python = "/usr/bin/python3"

// keptBook is a desk whose book has something of everything: documents, payments,
// two currencies, a deposit, a closed period, and a customer who was erased.
func keptBook(t *testing.T) *desk {
	t.Helper()
	d := &desk{t, t.TempDir()}
	for _, command := range []string{
		"init --name Acme --currency GBP --country GB --vat-id GB123456789",
		"customer add Ada --country GB --email ada@example.com",
		"customer add Bob --country DE",
		"customer add Eve --country GB",
		"invoice draft --customer Ada --deposit --tax S20 --line|1 x 300 Deposit --reference D",
		"invoice approve ext:D",
		"invoice issue ext:D --date 2026-01-05",
		"payment receive --amount 400 --invoice ext:D --date 2026-01-06 --text|thank you --reference TX-1",
		"payment refund ext:TX-1 --amount 10 --date 2026-01-07",
		"invoice draft --customer Ada --tax S20 --line|1 x 1000 Kitchen --deduct ext:D --reference F",
		"invoice approve ext:F",
		"invoice issue ext:F --date 2026-01-20",
		"invoice write-off ext:F --amount 40 --reason gone --date 2026-01-25",
		"period close 2026-01",
		"invoice draft --customer Bob --currency EUR --tax S20 --line|3 x 33.33 Advice --reference E",
		"invoice approve ext:E",
		"invoice issue ext:E --date 2026-02-01 --rate 0.8567@ECB",
		"payment receive --amount 50 --rate 0.9@ECB --invoice ext:E --date 2026-02-03",
		"credit issue --invoice ext:E --line|1 x 1 @S20 Less --date 2026-02-04",
		"period close 2026-02 --rate EUR=0.9@ECB",
		"customer erase Eve --reason asked",
	} {
		var args []string
		for _, word := range strings.Split(command, " --") {
			name, text, spaced := strings.Cut(word, "|")
			if spaced {
				args = append(args, "--"+name, text)
				continue
			}
			fields := strings.Fields(word)
			if len(args) > 0 {
				fields[0] = "--" + fields[0]
			}
			args = append(args, fields...)
		}
		d.run(args...)
	}
	return d
}

// A checker in another language, which shares no code with us, accepts a whole
// book that is as it should be, down to every decrypted figure, and none of which
// anything was taken, changed or told otherwise.
func TestAnIndependentCheckerOfBooks(t *testing.T) {
	if err := exec.Command(python, "-c", "import cbor2, cryptography").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3-cbor2 and python3-cryptography are not installed")
		}
		t.Skip("python3-cbor2 and python3-cryptography are not installed")
	}
	d := keptBook(t)
	var answer exportedEvents
	d.json(&answer, "export", "jsonl", "--out", d.path("good.jsonl"))
	good, err := os.ReadFile(d.path("good.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(good), "\n"), "\n")
	if len(lines) != answer.Commits+1 {
		t.Fatalf("%d lines for %d commits", len(lines), answer.Commits)
	}
	if err := os.WriteFile(d.path("KEYS"), []byte(d.run("keys", "public")), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(lines []string) (ok bool, erased int, what string) {
		if err := os.WriteFile(d.path("tried.jsonl"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(python, "../../testing/scripts/check.py", d.path("tried.jsonl"), d.path("KEYS")).Output()
		var said struct {
			OK     bool
			Erased int
			What   string
		}
		if json.Unmarshal(out, &said) != nil || said.OK != (err == nil) {
			t.Fatalf("the checker says %q: %v", out, err)
		}
		return said.OK, said.Erased, said.What
	}
	if ok, erased, what := check(lines); !ok || erased != 1 {
		t.Fatalf("a good book: %v, %d sections erased, %s", ok, erased, what)
	}
	at := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, `"type":"invoice.issued"`) })
	replaced := func(line int, pattern, by string) []string {
		of := regexp.MustCompile(pattern)
		if !of.MatchString(lines[line]) {
			t.Fatalf("line %d has no %s", line, pattern)
		}
		all := slices.Clone(lines)
		all[line] = strings.Replace(all[line], of.FindString(all[line]), by, 1)
		return all
	}
	swapped := slices.Clone(lines)
	swapped[at], swapped[at+1] = swapped[at+1], swapped[at]
	for name, tampered := range map[string][]string{
		"a commit dropped":       slices.Delete(slices.Clone(lines), at, at+1),
		"the last one dropped":   lines[:len(lines)-1],
		"a commit twice":         slices.Insert(slices.Clone(lines), at, lines[at]),
		"two swapped":            swapped,
		"another amount":         replaced(at, `"amount":"\d`, `"amount":"9`),
		"another principal":      replaced(at, `"principal":"\w+"`, `"principal":"mallory"`),
		"another time":           replaced(at, `"recorded":"20`, `"recorded":"19`),
		"another name":           replaced(at, `"name":"Ada"`, `"name":"Ida"`),
		"another number":         replaced(at, `"number":"INV`, `"number":"INX`),
		"another type":           replaced(at, `"type":"invoice.issued"`, `"type":"invoice.drafted"`),
		"another revision":       replaced(at, `"revision":\d+`, `"revision":77`),
		"another commit":         replaced(at, `"stored":".{6}`, `"stored":"AAAAAA`),
		"another proof":          replaced(at, `"proof":\[".{4}`, `"proof":["AAAA`),
		"another secret":         replaced(at, `"secrets":\{"0":".{4}`, `"secrets":{"0":"AAAA`),
		"nothing opened":         replaced(at, `"secrets":\{.*?\}`, `"secrets":{}`),
		"another checkpoint":     replaced(0, `\\n\d+\\n`, `\n3\n`),
		"another size":           replaced(0, `"size":\d+`, `"size":3`),
		"another list of keys":   replaced(0, `serial 1`, `serial 2`),
		"data of the erased":     replaced(4, `"country":"GB"`, `"country":"GB","personal":{"name":"Eve"}`),
		"an event more":          replaced(at, `"events":\[`, `"events":[{},`),
		"no line at all":         lines[:1],
		"a line that is no JSON": replaced(at, `^\{`, `[`),
	} {
		if ok, _, _ := check(tampered); ok {
			t.Errorf("%s is accepted", name)
		}
	}
}
