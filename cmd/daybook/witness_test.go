package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// desk runs commands on one book.
type desk struct {
	t   *testing.T
	dir string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t, t.TempDir()}
	d.run("init", "--name", "Acme Ltd", "--currency", "GBP", "--country", "GB")
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

// try gives what a command answers, and its exit code.
func (d *desk) try(args ...string) (stdout, stderr string, code int) {
	d.t.Helper()
	var out, errs bytes.Buffer
	args = append(append([]string{"daybook"}, args...), "--dir", d.path("book"), "--key-file", d.path("key"))
	code = run(args, strings.NewReader(""), &out, &errs, func(name string) string {
		return map[string]string{"DAYBOOK_CACHE_DIR": cacheDir()}[name]
	})
	return out.String(), errs.String(), code
}

func (d *desk) run(args ...string) string {
	d.t.Helper()
	stdout, stderr, code := d.try(args...)
	if code != exitDone {
		d.t.Fatalf("daybook %s: exit code %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// json runs a command and reads its answer.
func (d *desk) json(into any, args ...string) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.run(append(args, "--json")...)), into); err != nil {
		d.t.Fatal(err)
	}
}

// background starts a command that serves, in a process of its own, and gives
// what it says of itself. It ends with the test, cleanly.
func background(t *testing.T, args ...string) servingJSON {
	t.Helper()
	cmd := exec.Command(os.Args[0], append(args, "--json")...)
	cmd.Args[0] = "daybook"
	cmd.Env = append(os.Environ(), "DAYBOOK_CACHE_DIR="+cacheDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("daybook %s: %v: %s", strings.Join(args, " "), err, &stderr)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var serving servingJSON
	if err != nil || json.Unmarshal(line, &serving) != nil {
		t.Fatalf("daybook %s says %q: %v, %s", strings.Join(args, " "), line, err, &stderr)
	}
	return serving
}

// A second witness on the state of one that runs is refused.
func TestAWitnessHasItsStateAlone(t *testing.T) {
	state := filepath.Join(t.TempDir(), "w1")
	background(t, "witness", "--state", state)
	d := &desk{t, t.TempDir()}
	if _, stderr, code := d.try("witness", "--state", state, "--listen", "nowhere", "--json"); code != exitFailed || !strings.Contains(stderr, `"code":"busy"`) {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// A witness keeps the name of its first start, whatever becomes of the folder's name.
func TestAWitnessKeepsItsName(t *testing.T) {
	d := &desk{t, t.TempDir()}
	// starts gives the name that a witness has, and says of itself, or else its error.
	starts := func(state string, more ...string) (name, code string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var stderr bytes.Buffer
		out, in := io.Pipe()
		a := newApp(nil, strings.NewReader(""), in, &stderr, func(string) string { return "" })
		cmd := a.command()
		cmd.SetArgs(append([]string{"witness", "--json", "--state", d.path(state)}, more...))
		go func() { _ = in.CloseWithError(cmp.Or(cmd.ExecuteContext(ctx), io.EOF)) }()
		line, err := bufio.NewReader(out).ReadBytes('\n')
		if err != nil {
			return "", explain(err, nil).code
		}
		cancel()
		if _, err := io.ReadAll(out); err != nil { // until the folder is let go of
			t.Fatal(err)
		}
		var serving servingJSON
		if err := json.Unmarshal(line, &serving); err != nil {
			t.Fatal(err)
		}
		name, _, _ = strings.Cut(serving.Key, "+")
		return name, ""
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(d.path(from), d.path(to)); err != nil {
			t.Fatal(err)
		}
	}
	forget := func(state string) { // as it was before names were kept
		t.Helper()
		if err := os.Remove(filepath.Join(d.path(state), "name")); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		before           func()
		state, given     string
		wantName, refuse string
	}{
		{nil, "w1", "", host + "/w1", ""},
		{func() { move("w1", "w2") }, "w2", "", host + "/w1", ""},
		{nil, "w2", host + "/w1", host + "/w1", ""},
		{nil, "w2", host + "/w2", "", "witness-name"},
		{nil, "w2", "a name", "", codeUsage},
		{func() { forget("w2") }, "w2", "witness.example/w", "witness.example/w", ""},
		{nil, "w2", "", "witness.example/w", ""},
		{func() { forget("w2") }, "w2", "", host + "/w2", ""},
		{nil, "new", "a+b", "", codeUsage},
		{nil, "a folder", "", "", codeUsage},
		{nil, "a folder", "witness.example/w", "witness.example/w", ""},
	} {
		if step.before != nil {
			step.before()
		}
		var more []string
		if step.given != "" {
			more = []string{"--name", step.given}
		}
		if name, code := starts(step.state, more...); name != step.wantName || code != step.refuse {
			t.Errorf("%s, given %q: it is %q, %q; want %q, %q", step.state, step.given, name, code, step.wantName, step.refuse)
		}
	}
	if _, err := os.Stat(d.path("new")); err == nil {
		t.Error("a refused name made a state")
	}
}

// A witness outside sees what nobody inside can hide: that the whole folder was
// set back to an older copy, head and cosigned checkpoint and all.
func TestAWitnessSeesARollback(t *testing.T) {
	w := background(t, "witness", "--state", filepath.Join(t.TempDir(), "w1"), "--name", "witness.example/w1")
	d := newDesk(t)
	var before statusJSON
	d.json(&before, "status")
	if before.Unwitnessed == "" || before.Cosigned != nil {
		t.Errorf("a book without witnesses: %+v", before)
	}
	d.run("keys", "witness", "add", w.Key, w.URL)
	d.run("customer", "add", "Ada", "--country", "GB")
	var status statusJSON
	d.json(&status, "status")
	if status.Cosigned == nil || status.Cosigned.Size != 2 || status.Unwitnessed != "" || status.Witnesses[0] != "witness.example/w1" {
		t.Fatalf("status: %+v", status)
	}
	if text := d.run("status"); !strings.Contains(text, "1 of witness.example/w1") || !strings.Contains(text, "size 2, ") {
		t.Errorf("status: %s", text)
	}
	var verified verifyJSON
	d.json(&verified, "verify")
	if !verified.OK || len(verified.Witnesses) != 1 || verified.Witnesses[0].Size != 2 {
		t.Errorf("verify: %+v", verified)
	}

	if err := os.CopyFS(d.path("copy"), os.DirFS(d.path("book"))); err != nil {
		t.Fatal(err)
	}
	d.run("customer", "add", "Bob", "--country", "GB")
	if err := os.RemoveAll(d.path("book")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.path("copy"), d.path("book")); err != nil {
		t.Fatal(err)
	}
	if d.json(&verified, "verify", "--offline"); !verified.OK {
		t.Errorf("offline nothing can be seen: %+v", verified)
	}
	stdout, stderr, code := d.try("verify", "--json")
	if code != exitFailed || !strings.Contains(stdout, `"ok":false`) || !strings.Contains(stderr, `"code":"witness-contradiction"`) ||
		strings.Contains(stderr, "daybook repair") || !strings.Contains(stderr, "daybook restore") {
		t.Errorf("after a rollback: exit code %d, %s%s", code, stdout, stderr)
	}
	if stdout, _, _ = d.try("verify"); !strings.Contains(stdout, "w1 has cosigned up to size 3: it has cosigned what the log does not have") {
		t.Errorf("after a rollback: %s", stdout)
	}
	// Whoever goes on writing is told, too.
	if _, stderr, _ = d.try("customer", "add", "Mallory", "--country", "GB"); !strings.Contains(stderr, "a witness contradicts the log") {
		t.Errorf("writing on: %s", stderr)
	}
	if _, stderr, code = d.try("verify", "--json"); code != exitFailed || !strings.Contains(stderr, "witness-contradiction") {
		t.Errorf("after writing on: exit code %d, %s", code, stderr)
	}
}

// witnessed is a desk whose book has one witness.
func witnessed(t *testing.T) *desk {
	t.Helper()
	w := background(t, "witness", "--state", filepath.Join(t.TempDir(), "w1"), "--name", "witness.example/w1")
	d := newDesk(t)
	d.run("keys", "witness", "add", w.Key, w.URL)
	return d
}

// A bundle has the cosigned checkpoint where that covers it, however far the log has
// gone on since; but never one that is of another history.
func TestEvidenceIsCosignedWhereItCanBe(t *testing.T) {
	d := witnessed(t)
	d.run("customer", "add", "Ada", "--country", "GB")
	if err := os.CopyFS(d.path("copy"), os.DirFS(d.path("book"))); err != nil {
		t.Fatal(err)
	}
	away := func() { // the witness does not hear of what follows
		if err := os.Remove(d.path("book/witnesses.json")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(d.path("KEYS"), []byte(d.run("keys", "public")), 0o600); err != nil {
		t.Fatal(err)
	}
	proves := func(customer, file string, size uint64, cosigned bool) {
		t.Helper()
		d.run("bundle", "create", "--customer", customer, "--out", d.path(file))
		var proved provedJSON
		if d.json(&proved, "bundle", "verify", d.path(file), "--trust", d.path("KEYS")); proved.Size != size || (proved.Cosigned != nil) != cosigned {
			t.Errorf("%s: size %d, cosigned %v", customer, proved.Size, proved.Cosigned)
		}
	}
	cosigned := func() []byte {
		text, err := os.ReadFile(d.path("book/cosigned"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	d.run("customer", "add", "Bob", "--country", "GB")
	other := cosigned()
	if err := errors.Join(os.RemoveAll(d.path("book")), os.Rename(d.path("copy"), d.path("book"))); err != nil {
		t.Fatal(err)
	}
	away()
	for _, name := range []string{"Mallory", "Eve"} {
		d.run("customer", "add", name, "--country", "GB")
	}
	proves("Ada", "ada.bundle", 2, true)
	proves("Mallory", "mallory.bundle", 4, false)
	if err := os.WriteFile(d.path("book/cosigned"), other, 0o644); err != nil {
		t.Fatal(err)
	}
	proves("Ada", "again.bundle", 4, false)
	if exec.Command(python, "-c", "import cbor2, cryptography").Run() == nil {
		out, err := exec.Command(python, "../../testing/scripts/check.py", d.path("ada.bundle"), d.path("KEYS")).CombinedOutput()
		if err != nil || !strings.Contains(string(out), `"size": 2, "cosigned": 1`) {
			t.Errorf("the checker says %s: %v", out, err)
		}
	}
}

// A check goes on though the cosigned checkpoint lags behind it, if it held the log
// against that very one; one that was kept elsewhere makes it begin again.
func TestACheckGoesOnWithoutWitnesses(t *testing.T) {
	d := witnessed(t)
	d.run("customer", "add", "Ada", "--country", "GB")
	put := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(d.path(from))
		if err == nil {
			err = os.WriteFile(d.path(to), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("book/cosigned", "older")
	d.run("customer", "add", "Bob", "--country", "GB")
	put("book/cosigned", "kept")
	if err := os.Remove(d.path("book/witnesses.json")); err != nil { // nobody is asked
		t.Fatal(err)
	}
	d.run("customer", "add", "Eve", "--country", "GB")
	d.run("verify")
	d.run("customer", "add", "Grace", "--country", "GB")
	goes := func(from, size uint64, args ...string) {
		t.Helper()
		var verified verifyJSON
		if d.json(&verified, append([]string{"verify", "--resume"}, args...)...); !verified.OK || verified.From != from || verified.Size != size {
			t.Errorf("%v: %+v", args, verified)
		}
	}
	goes(4, 5)
	goes(5, 5)
	goes(0, 5, "--expect", d.path("kept"))
	put("older", "book/cosigned")
	goes(0, 5)
	goes(5, 5)
}

// A checkpoint beside the log that is older than what a witness has cosigned shows
// nothing of what comes after it: a fork from there on would look the same.
func TestAWitnessThatIsAheadIsNoProof(t *testing.T) {
	d := witnessed(t)
	d.run("customer", "add", "Ada", "--country", "GB")
	beside := []string{"checkpoint", "cosigned"}
	old, now := map[string][]byte{}, map[string][]byte{}
	keep := func(into map[string][]byte) {
		for _, name := range beside {
			data, err := os.ReadFile(d.path("book/" + name))
			if err != nil {
				t.Fatal(err)
			}
			into[name] = data
		}
	}
	put := func(name string, data []byte) {
		if err := os.WriteFile(d.path(name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	keep(old)
	d.run("customer", "add", "Bob", "--country", "GB")
	keep(now)
	for _, name := range beside {
		put("book/"+name, old[name])
	}
	stdout, stderr, code := d.try("verify", "--json")
	if code != exitFailed || !strings.Contains(stdout, `"ok":false`) || !strings.Contains(stderr, `"code":"witness-unproven"`) ||
		!strings.Contains(stderr, "has cosigned size 3; the newest signed checkpoint at hand is of size 2") || !strings.Contains(stderr, "then verify again") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	var verified verifyJSON
	for i, name := range beside {
		put("kept", now[name])
		if d.json(&verified, "verify", "--expect", d.path("kept")); verified.Witnesses[0].Size != 3 {
			t.Errorf("given %s: %+v", name, verified)
		}
		put("book/"+name, now[name])
		if d.json(&verified, "verify"); verified.Witnesses[0].Size != 3 {
			t.Errorf("beside %s: %+v", name, verified)
		}
		put("book/"+name, old[name])
		if _, stderr, _ := d.try("verify", "--json"); !strings.Contains(stderr, "witness-unproven") {
			t.Errorf("set back %d: %s", i, stderr)
		}
	}
	d.run("status") // has no key to sign with
	if _, stderr, _ := d.try("verify", "--json"); !strings.Contains(stderr, "witness-unproven") {
		t.Errorf("after status: %s", stderr)
	}
	d.run("customer", "list")
	if d.json(&verified, "verify"); !verified.OK || verified.Witnesses[0].Size != 3 {
		t.Errorf("after it was opened with its key: %+v", verified)
	}
}

// The list of keys says who must be asked. That nothing is there to ask by is told,
// and so is that nobody knows where.
func TestWitnessesAreNotSkippedInSilence(t *testing.T) {
	d := witnessed(t)
	d.run("verify") // the book was not opened since
	d.run("customer", "add", "Ada", "--country", "GB")
	remove := func(names ...string) {
		for _, name := range names {
			if err := os.Remove(d.path("book/" + name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove("checkpoint")
	var verified verifyJSON
	if d.json(&verified, "verify"); verified.Witnesses[0].Size != 2 {
		t.Errorf("by the cosigned checkpoint: %+v", verified)
	}
	remove("cosigned")
	if stdout, stderr, code := d.try("verify", "--json"); code != exitFailed || !strings.Contains(stdout, `"ok":false`) ||
		!strings.Contains(stdout, `"witnesses":[{"witness":"witness.example/w1","error":`) || !strings.Contains(stderr, `"code":"witness-unproven"`) || !strings.Contains(stderr, "no signed checkpoint") {
		t.Errorf("without checkpoints: exit code %d, %s%s", code, stdout, stderr)
	}
	d.run("verify", "--offline")
	d.run("customer", "list")
	d.run("verify")

	remove("witnesses.json")
	verified = verifyJSON{}
	d.json(&verified, "verify")
	if says := verified.Witnesses[0]; says.Size != 0 || !strings.Contains(says.Error, "witnesses.json has no address for it") {
		t.Errorf("without its address: %+v", says)
	}
}

// After a compromise the old key counts only as far as it was cosigned.
func TestACompromiseCountsFromTheCosignedSize(t *testing.T) {
	w := background(t, "witness", "--state", filepath.Join(t.TempDir(), "w1"))
	d := newDesk(t)
	d.run("keys", "witness", "add", w.Key, w.URL)
	d.run("customer", "add", "Ada", "--country", "GB", "--receipt", d.path("cosigned.receipt"))
	d.run("keys", "witness", "remove", strings.Split(w.Key, "+")[0])
	d.run("customer", "add", "Bob", "--country", "GB", "--receipt", d.path("alone.receipt"))
	d.run("keys", "witness", "add", w.Key, "http://127.0.0.1:1/") // away
	var list keyListJSON
	d.json(&list, "keys", "rotate", "--compromised")
	if last := list.Keys[0]; last.Until == nil || *last.Until != 3 || *last.Counts != 2 {
		t.Errorf("the old key: %+v", last)
	}
	if err := os.WriteFile(d.path("KEYS"), []byte(list.Signed), 0o644); err != nil {
		t.Fatal(err)
	}
	d.run("receipt", "check", d.path("cosigned.receipt"), "--trust", d.path("KEYS"))
	if _, stderr, code := d.try("receipt", "check", d.path("alone.receipt"), "--trust", d.path("KEYS"), "--json"); code != exitFailed || !strings.Contains(stderr, "key-range") {
		t.Errorf("a receipt that nobody cosigned: exit code %d, %s", code, stderr)
	}
	var verified verifyJSON
	if d.json(&verified, "verify", "--offline"); !verified.OK {
		t.Errorf("the log itself: %+v", verified)
	}
	// The newest checkpoint is by that key, and no witness has seen more.
	if d.json(&verified, "verify"); !verified.OK || len(verified.Witnesses) != 1 || verified.Witnesses[0].Size != 0 || verified.Witnesses[0].Error == "" {
		t.Errorf("with the witness away: %+v", verified)
	}
	if text := d.run("verify"); !strings.Contains(text, " told nothing: witness: ") {
		t.Errorf("with the witness away: %s", text)
	}
}

func TestTheLogIsServedAsTiles(t *testing.T) {
	d := newDesk(t)
	served := background(t, "log", "serve", "--dir", d.path("book"), "--key-file", d.path("key"))
	fetch := func(path string) (int, []byte) {
		resp, err := http.Get(served.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body
	}
	d.run("customer", "add", "Ada", "--country", "GB") // through the process that serves
	_, checkpoint := fetch("checkpoint")
	var list keyListJSON
	d.json(&list, "keys", "public")
	known, err := note.NewVerifier(list.Keys[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(checkpoint, note.VerifierList(known)); err != nil || strings.Split(n.Text, "\n")[1] != "2" {
		t.Errorf("%q: %v", checkpoint, err)
	}
	for path, want := range map[string]int{"tile/0/000.p/2": 2 * 32, "tile/entries/000.p/2": 2 * 34} {
		if status, body := fetch(path); status != http.StatusOK || len(body) != want {
			t.Errorf("%s: %d, %d bytes", path, status, len(body))
		}
	}
	for _, path := range []string{"tile/0/001", "tile/", "tile/0/", "nothing", "tile/../checkpoint.new"} {
		if status, _ := fetch(path); status == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
	d.run("log", "export", "--to", d.path("out"))
	ours, err := os.ReadFile(d.path("out/tile/0/000.p/2"))
	if _, theirs := fetch("tile/0/000.p/2"); err != nil || !bytes.Equal(ours, theirs) {
		t.Errorf("exported and served tiles differ: %v", err)
	}
}
