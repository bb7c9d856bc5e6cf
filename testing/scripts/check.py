#!/usr/bin/env python3
"""Check evidence of a Daybook book: check.py FILE KEYS

FILE is an evidence bundle, or a whole book as daybook export jsonl writes it.
Written from docs/FORMAT.md alone, with Debian's python3-cbor2 and
python3-cryptography; it shares no code with Daybook. It prints what the file
proves, as JSON, and ends with exit code 1 where it proves nothing."""

import base64
import datetime
import hashlib
import hmac
import io
import json
import struct
import sys
import uuid

import cbor2
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

OPEN_END = 2**53 - 1


class Refused(Exception):
    pass


def need(holds, what):
    if not holds:
        raise Refused(what)


def sha256(data):
    return hashlib.sha256(data).digest()


def canonical(data):
    """Decode deterministic CBOR, in its one form."""
    stream = io.BytesIO(data)
    try:
        value = cbor2.load(stream)
        again = cbor2.dumps(value, canonical=True)
    except Exception as e:
        raise Refused("not CBOR: %s" % e)
    need(stream.read() == b"" and again == data, "not in deterministic CBOR")
    return value


def unbase64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except Exception:
        raise Refused("not base64")
    need(base64.b64encode(data).decode() == text, "base64 in another form")
    return data


def key_hash(name, kind, public):
    return sha256(name.encode() + b"\n" + bytes([kind]) + public)[:4]


def holds(public, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def cut_note(data):
    """The text of a signed note, and its signatures: name, hash, rest."""
    at = data.rfind(b"\n\n")
    need(at >= 0 and data.endswith(b"\n"), "not a signed note")
    try:
        text, lines = data[: at + 1].decode(), data[at + 2 : -1].decode().split("\n")
    except UnicodeDecodeError:
        raise Refused("not UTF-8")
    signatures = []
    for line in lines:
        need(line.startswith("\u2014 ") and line.count(" ") == 2, "not a signature line")
        _, name, encoded = line.split(" ")
        raw = unbase64(encoded)
        need(len(raw) > 4, "a short signature")
        signatures.append((name, raw[:4], raw[4:]))
    return text, signatures


def named_key(text, kind):
    """A public key in the note form: name and key."""
    name, short, encoded = text.split("+", 2)
    raw = unbase64(encoded)
    need(len(raw) == 33 and raw[0] == kind, "a key of another kind")
    need(key_hash(name, kind, raw[1:]).hex() == short, "the hash of a key does not fit")
    return name, raw[1:]


def size(text):
    if text == "-":
        return OPEN_END
    need(text.isascii() and text.isdigit() and str(int(text)) == text and int(text) < OPEN_END, "not a size")
    return int(text)


def read_keys(data):
    """A signed list of keys."""
    need(data.find(b"\n\n") == data.rfind(b"\n\n"), "a list of keys in another form")
    text, signatures = cut_note(data)
    lines = text[:-1].split("\n")
    need(lines[0] == "daybook/keys/v1" and len(lines) >= 6, "not a list of keys")
    for line, start in zip(lines[1:4], ("identity ", "origin ", "serial ")):
        need(line.startswith(start), "a line is missing: " + start)
    keys = {"identity": lines[1][9:], "origin": lines[2][7:], "serial": size(lines[3][7:]), "keys": [], "witnesses": [], "quorum": None}
    for line in lines[4:]:
        kind, _, rest = line.partition(" ")
        if kind == "key" and keys["quorum"] is None:
            start, until, counts, public = rest.split(" ")
            keys["keys"].append((size(start), size(until), size(counts), unbase64(public), keys["origin"]))
        elif kind == "origin" and keys["quorum"] is None:
            need(keys["keys"] and rest not in [key[4] for key in keys["keys"]], "an origin that is none of a new epoch")
            keys["origin"] = rest
        elif kind == "quorum" and keys["quorum"] is None:
            keys["quorum"] = size(rest)
        elif kind == "witness" and keys["quorum"] is not None:
            keys["witnesses"].append(named_key(rest, 4))
        else:
            raise Refused("a line that is none of a list of keys")
    due = 0
    for start, until, counts, public, _ in keys["keys"]:
        need(start == due and start <= until and counts <= until and len(public) == 32, "ranges of keys do not follow one another")
        due = until
    need(keys["keys"] and keys["keys"][-1][4] == keys["origin"], "an origin without a key")
    need(due == OPEN_END and keys["keys"][-1][2] == OPEN_END, "no key is in use")
    need((keys["quorum"] == 0) == (not keys["witnesses"]) and keys["quorum"] <= len(keys["witnesses"]), "a quorum that cannot be")
    name, public = named_key(keys["identity"], 1)
    need(len(signatures) == 1 and signatures[0][:2] == (name, key_hash(name, 1, public)), "not signed by its identity")
    need(holds(public, text.encode(), signatures[0][2]), "the identity's signature does not hold")
    return keys


def follow(trusted, given):
    """The newer of two lists, if one goes on from the other."""
    need(trusted["identity"] == given["identity"], "another book's list of keys")
    older, newer = sorted((trusted, given), key=lambda k: k["serial"])
    need(older["serial"] != newer["serial"] or older == newer, "two lists of one serial")
    ends = [key[1] for key in newer["keys"] if key[4] == older["origin"]]
    need(ends, "a list of another epoch")
    end = ends[-1]
    kept = [was for was in older["keys"] if was[0] <= end]
    need(len(newer["keys"]) >= len(kept), "a list with fewer keys")
    for was, now in zip(kept, newer["keys"]):
        until = min(was[1], end)
        need((was[0], was[3], was[4]) == (now[0], now[3], now[4]) and now[1] <= until and now[2] <= was[2], "a list that changes a key")
        need(was[1] == OPEN_END or until == now[1], "a list that moves the end of a key")
    return newer


def read_checkpoint(data, keys):
    """Size and root of a checkpoint, and the times of cosignatures."""
    text, signatures = cut_note(data)
    lines = text[:-1].split("\n")
    need(len(lines) == 3 and lines[0] in [key[4] for key in keys["keys"]], "a checkpoint of another log")
    n, root = size(lines[1]), unbase64(lines[2])
    need(len(root) == 32 and n < OPEN_END, "not a tree head")
    counts, times = False, {}
    for name, short, signature in signatures:
        for start, _, last, public, origin in keys["keys"]:
            if origin == lines[0] and (name, short) == (origin, key_hash(name, 1, public)):
                need(holds(public, text.encode(), signature), "the log's signature does not hold")
                counts = counts or start <= n <= last
        for witness, public in keys["witnesses"]:
            if (name, short) == (witness, key_hash(witness, 4, public)):
                need(len(signature) == 72, "a cosignature of another length")
                at = struct.unpack(">Q", signature[:8])[0]
                message = b"cosignature/v1\ntime %d\n" % at + text.encode()
                need(holds(public, message, signature[8:]), "a cosignature does not hold")
                times[witness] = at
    need(counts, "no key that counts at its size signed the checkpoint")
    cosigned = sorted(times.values())[keys["quorum"] - 1] if 0 < keys["quorum"] <= len(times) else None
    return n, root, cosigned


def node(left, right):
    return sha256(b"\x01" + left + right)


def root_of(index, n, leaf, proof):
    """The root that RFC 6962's inclusion proof leads to."""
    fn, sn, at = index, n - 1, leaf
    for h in proof:
        need(len(h) == 32 and sn > 0, "a proof that is too long")
        if fn & 1 or fn == sn:
            at = node(h, at)
            while fn & 1 == 0 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            at = node(at, h)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "a proof that is too short")
    return at


def read_commit(stored):
    outer = canonical(stored)
    need(isinstance(outer, list) and len(outer) == 2 and isinstance(outer[0], bytes), "not a commit")
    header = canonical(outer[0])
    need(isinstance(header, dict) and header.get(1) == 1, "a commit of another format")
    need(isinstance(outer[1], list) and len(outer[1]) == len(header[11]), "sections do not fit the header")
    return outer[0], header, outer[1]


def open_section(raw, header, sections, i, secret):
    need(0 <= i < len(sections) and len(secret) == 32, "a secret of no section")
    _, commitment, ciphertext = sections[i]
    info = b"daybook/section/1" + bytes([header[11][i][0]]) + struct.pack(">I", i)
    t1 = hmac.new(secret, info + b"\x01", hashlib.sha256).digest()
    t2 = hmac.new(secret, t1 + info + b"\x02", hashlib.sha256).digest()
    need(hmac.compare_digest(t2, commitment), "a secret does not fit its section's commitment")
    try:
        return AESGCM(t1).decrypt(bytes(12), ciphertext, raw)
    except InvalidTag:
        raise Refused("a section does not open")


def check(data, trusted):
    bundle = canonical(data)
    need(isinstance(bundle, list) and len(bundle) == 6 and bundle[0] == "daybook/bundle/1", "not a bundle")
    _, _, signed_keys, checkpoint, commits, secrets = bundle
    keys = follow(trusted, read_keys(signed_keys))
    n, root, cosigned = read_checkpoint(checkpoint, keys)
    proved, last = {}, -1
    for position, stored, proof in commits:
        need(position > last and position < n, "positions out of order, or beyond the log")
        last = position
        leaf = sha256(b"\x00" + sha256(stored))
        need(root_of(position, n, leaf, proof) == root, "position %d is not proved" % position)
        proved[position] = read_commit(stored)
        need(proved[position][1][4] == position, "a commit says another position")
    need(proved, "a bundle without commits")
    opened, before = {}, (-1, -1)
    for position, section, secret in secrets:
        need((position, section) > before and position in proved, "secrets out of order, or of no commit")
        before = (position, section)
        opened["%d/%d" % before] = open_section(*proved[position], section, secret)
    return {"ok": True, "origin": keys["origin"], "size": n, "cosigned": cosigned,
            "positions": sorted(proved), "opened": {k: v.hex() for k, v in opened.items()}}


def tree_root(leaves):
    """The root of RFC 6962's tree over all leaves, as a stack of full subtrees."""
    stack = []
    for leaf in leaves:
        stack.append((1, leaf))
        while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
            (n, right), (_, left) = stack.pop(), stack.pop()
            stack.append((2 * n, node(left, right)))
    at = stack.pop()[1]
    while stack:
        at = node(stack.pop()[1], at)
    return at


def same(told, sealed, where):
    """Whether what a line tells, in JSON, is what was sealed, in CBOR."""
    if isinstance(sealed, dict):
        need(isinstance(told, dict) and set(told) - {"personal"} == set(sealed), "%s: other keys than were sealed" % where)
        for key, value in sealed.items():
            same(told[key], value, where + "." + key)
    elif isinstance(told, dict) and set(told) == {"amount", "currency"}:
        digits = int(told["amount"].replace(".", ""))
        need([digits, told["currency"]] == sealed, "%s: another amount" % where)
    elif isinstance(told, dict) and set(told) == {"category", "percent"}:
        need("%(category)s %(percent)s" % told == sealed, "%s: another rate" % where)
    elif isinstance(told, dict) and set(told) == {"kind", "id"}:
        need("%(kind)s-%(id)s" % told == sealed, "%s: something else" % where)
    elif isinstance(sealed, list):
        need(isinstance(told, list) and len(told) == len(sealed), "%s: a list of another length" % where)
        for i, value in enumerate(sealed):
            same(told[i], value, "%s.%d" % (where, i))
    elif isinstance(sealed, bytes):
        need(told in (str(uuid.UUID(bytes=sealed)) if len(sealed) == 16 else None, base64.b64encode(sealed).decode()), "%s: other bytes" % where)
    else:
        need(told == sealed and isinstance(told, bool) == isinstance(sealed, bool), "%s: %r was sealed" % (where, sealed))


def whole(told, facts, personal, where):
    """Whether a command or event is told as its facts and its personal part say."""
    same(told, canonical(facts), where)
    need(("personal" in told) == (personal is not None), "%s: personal data that was not sealed, or none that was" % where)
    if personal is not None:
        same(told["personal"], canonical(personal), where + ".personal")


def check_line(line, header, opened):
    """Whether a line says what the commit that it holds does."""
    recorded = datetime.datetime.fromisoformat(line["recorded"].replace("Z", "+00:00"))
    since = recorded - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    need((since // datetime.timedelta(microseconds=1), line["principal"]) == (header[7], header[6]), "another time or principal")
    need(line["command"]["id"] == str(uuid.UUID(bytes=header[5])), "another command")
    _, kind, _, command, _, events = canonical(opened[0])
    need(line["command"]["type"] == kind and len(line["events"]) == len(events) == len(header[10]), "another command, or other events")
    of_command, of_events = None, {}
    for i, plain in opened.items():
        if i > 0:
            part, parts = canonical(plain)
            of_command = of_command if part is None else part
            of_events.update({index: part for index, part in parts})
    whole(line["command"]["data"], command, of_command, "command")
    for i, (told, facts, (kind, (of, stream), revision, _)) in enumerate(zip(line["events"], events, header[10])):
        need((told["type"], told["of"]["kind"], told["of"]["id"], told["revision"]) == (kind, of, str(uuid.UUID(bytes=stream)), revision), "another event")
        whole(told["data"], facts, of_events.get(i), "event %d" % i)


def check_events(lines, trusted):
    """Check a whole book: nothing of it left out, changed or told otherwise."""
    head = json.loads(lines[0])
    need(head["format"] == "daybook/events/1", "not exported events")
    keys = follow(trusted, read_keys(head["keys"].encode()))
    n, root, cosigned = read_checkpoint(head["checkpoint"].encode(), keys)
    need(len(lines) == n + 1 and head["size"] == n, "not all commits of the log")
    leaves, erased = [], 0
    for position, text in enumerate(lines[1:]):
        line = json.loads(text)
        stored = unbase64(line["stored"])
        leaves.append(sha256(b"\x00" + sha256(stored)))
        proof = [unbase64(h) for h in line["proof"]]
        need(root_of(position, n, leaves[-1], proof) == root, "position %d is not proved" % position)
        raw, header, sections = read_commit(stored)
        need(header[4] == position == line["position"], "a commit says another position")
        need(str(uuid.UUID(bytes=header[2])) == head["book"], "a commit of another book")
        opened = {int(i): open_section(raw, header, sections, int(i), unbase64(secret)) for i, secret in line["secrets"].items()}
        need(0 in opened, "facts that are not opened")
        erased += len(sections) - len(opened)
        check_line(line, header, opened)
    need(tree_root(leaves) == root, "the commits are not those of the checkpoint")
    return {"ok": True, "origin": keys["origin"], "size": n, "cosigned": cosigned, "erased": erased}


def main():
    name, keys = sys.argv[1:]
    try:
        with open(keys, "rb") as f:
            trusted = read_keys(f.read())
        with open(name, "rb") as f:
            data = f.read()
        if data.startswith(b"{"):
            print(json.dumps(check_events(data.decode().splitlines(), trusted)))
        else:
            print(json.dumps(check(data, trusted)))
    except (Refused, KeyError, TypeError, ValueError, IndexError) as e:
        print(json.dumps({"ok": False, "what": "%s: %s" % (type(e).__name__, e)}))
        sys.exit(1)


main()
