// Package witness is C2SP tlog-witness: a server that cosigns a log's checkpoint
// only if it extends everything of that log that the server has cosigned before,
// and the client that asks for it.
//
//	POST /add-checkpoint   old <size>, the consistency proof, an empty line, the
//	                       checkpoint; answered with the cosignature's line
//	POST /add-keys         a signed list of keys (no part of tlog-witness): makes a
//	                       log known, and its rotations
//
// 200 cosigned; 400 malformed; 403 not signed by the log; 404 unknown log; 409
// the old size is not the one that was cosigned last (the answer tells that one),
// or another tree of the same size; 422 the proof does not hold: a fork.
package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

const (
	sizeType   = "text/x.tlog.size"
	oldPrefix  = "old "
	maxRequest = page.MaxCheckpoint + 8<<10
	maxProof   = 63
)

// Seen is what a witness knows of a log.
type Seen struct {
	// Keys is the log's list of keys, signed.
	Keys []byte
	// Head is the newest head that was cosigned.
	Head page.Head
}

// State keeps what a witness has seen, durably: what Put took, every later Get
// gives, also after a power cut. Get gives false for a log that is not known.
type State interface {
	Get(origin string) (Seen, bool, error)
	Put(origin string, s Seen) error
}

// Witness is the server. It is safe for concurrent use.
type Witness struct {
	Name  string
	Key   ed25519.PrivateKey
	State State
	Now   func() time.Time
	// Admit tells whether a log that is not known may become so by its list of
	// keys.
	Admit func(transparency.KeyList) bool

	mu sync.Mutex // one checkpoint at a time: looked at and stored as one
}

// Public is the witness's public key.
func (w *Witness) Public() transparency.WitnessKey {
	return transparency.WitnessKey{Name: w.Name, Public: w.Key.Public().(ed25519.PublicKey)}
}

// Handler serves the witness.
func (w *Witness) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", w.serve(w.addCheckpoint))
	mux.HandleFunc("POST /add-keys", w.serve(w.addKeys))
	return mux
}

// refusal is an answer other than 200.
type refusal struct {
	status int
	what   string
	// size, where the status is 409, is that of the newest cosigned head.
	size uint64
}

func (r *refusal) Error() string { return r.what }

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, what: fmt.Sprintf(format, args...)}
}

func (w *Witness) serve(answer func(body []byte) ([]byte, error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, max(maxRequest, transparency.MaxKeyList)))
		if err != nil {
			http.Error(rw, "the request is too large", http.StatusRequestEntityTooLarge)
			return
		}
		text, err := answer(body)
		var refused *refusal
		switch {
		case errors.As(err, &refused) && refused.status == http.StatusConflict:
			rw.Header().Set("Content-Type", sizeType)
			rw.WriteHeader(http.StatusConflict)
			_, _ = fmt.Fprintf(rw, "%d\n", refused.size) // who asked may be gone
		case refused != nil:
			http.Error(rw, refused.what, refused.status)
		case err != nil:
			http.Error(rw, "the witness cannot keep its state", http.StatusInternalServerError)
		default:
			rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = rw.Write(text)
		}
	}
}

// Request is what is asked of add-checkpoint.
type Request struct {
	Old        uint64
	Proof      tlog.TreeProof
	Checkpoint []byte
}

// Marshal gives the body of the request.
func (r Request) Marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%d\n", oldPrefix, r.Old)
	for _, h := range r.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteByte('\n')
	b.Write(r.Checkpoint)
	return b.Bytes()
}

// ParseRequest reads what Marshal gives, and only that.
func ParseRequest(body []byte) (Request, error) {
	head, checkpoint, found := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	old, isOld := strings.CutPrefix(lines[0], oldPrefix)
	if !found || !isOld || len(lines) > 1+maxProof || len(body) > maxRequest {
		return Request{}, errors.New("not an add-checkpoint request")
	}
	size, err := strconv.ParseUint(old, 10, 64)
	if err != nil || size > page.MaxSize {
		return Request{}, fmt.Errorf("the old size %.30q", old)
	}
	r := Request{Old: size, Proof: tlog.TreeProof{}, Checkpoint: checkpoint}
	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return Request{}, fmt.Errorf("the proof: %w", err)
		}
		r.Proof = append(r.Proof, h)
	}
	if !bytes.Equal(r.Marshal(), body) {
		return Request{}, errors.New("the request is not in its one form")
	}
	return r, nil
}

func (w *Witness) addCheckpoint(body []byte) ([]byte, error) {
	r, err := ParseRequest(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	origin := page.CheckpointOrigin(r.Checkpoint)
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, known, err := w.State.Get(origin)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, refuse(http.StatusNotFound, "the log %.100q is not known here", origin)
	}
	h, err := opened(seen.Keys, r.Checkpoint)
	if err != nil {
		return nil, refuse(http.StatusForbidden, "%v", err)
	}
	if err := extends(seen.Head, h, r); err != nil {
		return nil, err
	}
	line, err := transparency.Cosign(w.Name, w.Key, r.Checkpoint, w.Now())
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	if h != seen.Head {
		seen.Head = h
		if err := w.State.Put(origin, seen); err != nil { // before anybody can have the cosignature
			return nil, err
		}
	}
	return line, nil
}

// opened checks that a log signed a checkpoint.
func opened(keys, checkpoint []byte) (page.Head, error) {
	list, err := transparency.ParseKeyList(keys)
	if err != nil {
		return page.Head{}, err
	}
	verifier, err := list.Verifier()
	if err != nil {
		return page.Head{}, err
	}
	return verifier.Checkpoint(checkpoint)
}

// extends refuses a checkpoint that does not extend what was seen.
func extends(seen, h page.Head, r Request) error {
	switch {
	case r.Old > h.Size:
		return refuse(http.StatusBadRequest, "the old size %d is greater than the checkpoint's, %d", r.Old, h.Size)
	case r.Old != seen.Size, r.Old == h.Size && h.Size > 0 && h.Root != seen.Root:
		return &refusal{status: http.StatusConflict, what: "another head was cosigned", size: seen.Size}
	case r.Old == 0 || r.Old == h.Size:
		if len(r.Proof) > 0 {
			return refuse(http.StatusBadRequest, "a proof where none is needed")
		}
		return nil
	}
	if err := tlog.CheckTree(r.Proof, int64(h.Size), h.Root, int64(seen.Size), seen.Root); err != nil {
		return refuse(http.StatusUnprocessableEntity, "the checkpoint does not extend the one of size %d: %v", seen.Size, err)
	}
	return nil
}

// addKeys makes a log known, or takes the list that follows the one it has.
func (w *Witness) addKeys(body []byte) ([]byte, error) {
	list, err := transparency.ParseKeyList(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, known, err := w.State.Get(list.Origin)
	if err != nil {
		return nil, err
	}
	switch {
	case known:
		has, err := transparency.ParseKeyList(seen.Keys)
		if err != nil {
			return nil, err
		}
		if newest, err := has.Follow(list); err != nil {
			return nil, refuse(http.StatusForbidden, "%v", err)
		} else if newest.Serial == has.Serial {
			return nil, nil
		}
	case !w.Admit(list):
		return nil, refuse(http.StatusForbidden, "the log %.100q is not admitted here", list.Origin)
	default:
		seen.Head = page.EmptyHead()
	}
	seen.Keys = body
	return nil, w.State.Put(list.Origin, seen)
}

// Conflict is a witness's answer that it has cosigned another size than was said.
type Conflict struct{ Size uint64 }

func (c *Conflict) Error() string {
	return fmt.Sprintf("witness: it has cosigned the log at size %d", c.Size)
}

// Refused is any other answer than a cosignature.
type Refused struct {
	Status int
	What   string
}

func (r *Refused) Error() string { return fmt.Sprintf("witness: %d: %s", r.Status, r.What) }

// Client asks one witness.
type Client struct {
	// URL is the prefix below which the witness is reached.
	URL  string
	HTTP *http.Client
}

// AddCheckpoint asks for the cosignature of a checkpoint: a signature line. The
// error is a *Conflict, a *Refused, or that of the network.
func (c Client) AddCheckpoint(ctx context.Context, r Request) ([]byte, error) {
	return c.post(ctx, "add-checkpoint", r.Marshal())
}

// AddKeys sends a log's signed list of keys.
func (c Client) AddKeys(ctx context.Context, list []byte) error {
	_, err := c.post(ctx, "add-keys", list)
	return err
}

func (c Client) post(ctx context.Context, what string, body []byte) ([]byte, error) {
	url := strings.TrimSuffix(c.URL, "/") + "/" + what
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return text, nil
	case resp.StatusCode == http.StatusConflict && strings.HasPrefix(resp.Header.Get("Content-Type"), sizeType):
		size, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		if err != nil || size > page.MaxSize {
			return nil, &Refused{resp.StatusCode, "a size that is none"}
		}
		return nil, &Conflict{size}
	}
	return nil, &Refused{resp.StatusCode, strings.TrimSpace(string(text))}
}
