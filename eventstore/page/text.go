package page

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxCheckpoint is the longest checkpoint, in bytes, with the signatures of all
// its witnesses.
const MaxCheckpoint = 128 << 10

// pageText is the text that a page's note signs.
func pageText(origin string, h Head, oldSize uint64) string {
	return treeText(origin+pageSuffix, h) +
		"page " + strconv.FormatUint(h.Page, 10) + "\nafter " + strconv.FormatUint(oldSize, 10) + "\n"
}

// treeText is a C2SP tree head: name, size, root.
func treeText(name string, h Head) string {
	return name + "\n" + strconv.FormatUint(h.Size, 10) + "\n" +
		base64.StdEncoding.EncodeToString(h.Root[:]) + "\n"
}

// parsePageText reads what pageText writes. Comparing with the text written
// anew leaves one form to every head: no leading zeros, no other lines.
func parsePageText(origin, text string) (Head, uint64, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 6 {
		return Head{}, 0, fail(ErrForm, 0, "a head of %d lines", len(lines)-1)
	}
	h, err := parseTree(lines[1], lines[2])
	if err != nil {
		return Head{}, 0, fail(ErrForm, 0, "%v", err)
	}
	number, err1 := strconv.ParseUint(strings.TrimPrefix(lines[3], "page "), 10, 64)
	oldSize, err2 := strconv.ParseUint(strings.TrimPrefix(lines[4], "after "), 10, 64)
	if err1 != nil || err2 != nil {
		return Head{}, 0, fail(ErrForm, 0, "lines %.40q and %.40q", lines[3], lines[4])
	}
	h.Page = number
	if err := checkHead(h, oldSize); err != nil {
		return Head{}, 0, err
	}
	if pageText(origin, h, oldSize) != text {
		return Head{}, 0, fail(ErrForm, h.Page, "the head is not of this log, or not in its one form")
	}
	return h, oldSize, nil
}

// parseTree reads size and root; the caller compares the text written anew.
func parseTree(size, root string) (Head, error) {
	n, err := strconv.ParseUint(size, 10, 64)
	if err != nil {
		return Head{}, err
	}
	hash, err := tlog.ParseHash(root)
	if err != nil {
		return Head{}, err
	}
	return Head{Size: n, Root: hash}, nil
}

// Checkpoint signs the public tree head (C2SP tlog-checkpoint) of size and root;
// the page's number has no place in it. Only an acknowledged and remembered head
// may be signed: two checkpoints that contradict one another prove the log
// false.
func (s *Signer) Checkpoint(h Head) ([]byte, error) {
	if h.Size > MaxSize || h.Size == 0 && h.Root != EmptyRoot {
		return nil, fail(ErrCheckpointForm, 0, "no log has size %d and root %v", h.Size, h.Root)
	}
	text, err := s.checkpoint.sign(treeText(s.origin, h))
	if err != nil {
		return nil, fail(ErrCheckpointForm, 0, "signing: %v", err)
	}
	return text, nil
}

// CheckpointOrigin is the name under which a checkpoint was signed, its first line. It
// is true of a checkpoint that a Verifier takes.
func CheckpointOrigin(signed []byte) string {
	origin, _, _ := strings.Cut(string(signed), "\n")
	return origin
}

// Checkpoint checks a checkpoint of this log and gives its size and root; the
// head's page is 0, for a checkpoint does not tell it. Signatures by others,
// such as witnesses, may stand beside the log's and are not checked.
func (v *Verifier) Checkpoint(signed []byte) (Head, error) {
	if len(signed) > MaxCheckpoint {
		return Head{}, fail(ErrCheckpointForm, 0, "%d bytes, more than %d", len(signed), MaxCheckpoint)
	}
	n, err := v.checkpoint.openAny(signed)
	if err != nil {
		return Head{}, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 {
		return Head{}, fail(ErrCheckpointForm, 0, "a tree head of %d lines", len(lines)-1)
	}
	h, err := parseTree(lines[1], lines[2])
	if err != nil {
		return Head{}, fail(ErrCheckpointForm, 0, "%v", err)
	}
	if h.Size > MaxSize || h.Size == 0 && h.Root != EmptyRoot {
		return Head{}, fail(ErrCheckpointForm, 0, "no log has size %d and root %v", h.Size, h.Root)
	}
	sigs := slices.DeleteFunc(n.Sigs, func(sig note.Signature) bool {
		return treeText(v.ranges[v.checkpoint.index(sig.Hash)].Origin, h) != n.Text
	})
	if len(sigs) == 0 {
		return Head{}, fail(ErrCheckpointForm, 0, "the tree head is not of this log, or not in its one form")
	}
	if err := v.counts(sigs, h); err != nil {
		return Head{}, err
	}
	return h, nil
}

// counts checks that one of the keys that signed a checkpoint counts at its size.
func (v *Verifier) counts(sigs []note.Signature, h Head) error {
	for _, sig := range sigs {
		if !canonicalBase64(sig.Base64) {
			return fail(ErrCheckpointForm, 0, "the signature is not in its one form")
		}
		if r := v.ranges[v.checkpoint.index(sig.Hash)]; h.Size >= r.From && h.Size <= r.Counts {
			return nil
		}
	}
	r := v.ranges[v.checkpoint.index(sigs[0].Hash)]
	return fail(ErrKeyRange, 0, "signed for size %d by a key that counts from size %d to %d", h.Size, r.From, r.Counts)
}
