#!/usr/bin/env python3
"""Checks a certificate of erasure, without stem: `verify_certificate.py CERTIFICATE PUBLIC_KEY`.

Needs Python 3.9 and the package `cryptography`; reads no repository. The rules are those of
docs/format.md, "Certificates". Ends with 0 if everything holds, 1 if not, 2 if called wrongly.
"""

import base64
import binascii
import hashlib
import json
import re
import sys
import unicodedata
from datetime import datetime, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PAYLOAD = "application/vnd.in-toto+json"
APPROVAL = "application/vnd.stemmata.approval+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:stemmata:erasure:1"
SCHEME = "sha256(00 || salt || kind || 00 || id), RFC 9162 tree"
PRIME = 2**255 - 19
ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
WEAK = (0, 1, PRIME - 1, ORDER_8, PRIME - ORDER_8)
PHASES, FATES = ["freeze", "rewrite", "scrub", "verify"], ("erased", "notified", "out of control")
RESIDUE = [
    ("packs", "written again without it, or dropped; old packs overwritten and removed"),
    ("temporary files", "of sessions that cannot commit any more: overwritten and removed"),
    ("chunk index", "removed, and made again when it is needed"),
    ("catalogue", "log moved in and cut off, database written anew without free pages"),
    ("facts", "digests of the content that the catalogue keeps: taken out before it is written anew"),
    ("old catalogues", "kept by `fsck --rebuild`: overwritten and removed"),
    ("search index", "removed; it is made again when it is needed"),
    ("journal copy", "kept: it names content by hashes only"),
    ("plans and certificates", "kept: they name content by hashes only"),
    ("worktrees", "files with exactly the content overwritten and removed"),
    ("other files", "kept: looked through"),
]


class Bad(Exception):
    """What does not hold."""

def must(holds, what):
    if not holds:
        raise Bad(what)

# The form of every object: each field (`?`: it may be absent), and what it may be. `?` allows null, `[x]` is a list.
FORMS = {
    "Statement": {"_type": "str", "subject": "[Subject]", "predicateType": "str", "predicate": "Predicate"},
    "Subject": {"name": "str", "digest": "Digest"},
    "Digest": {"stemSaltedSha256": "str"},
    "Tool": {"name": "str", "version": "str", "binary": "?str"},
    "Person": {"name": "str", "key": "?str"},
    "ApprovedBy": {"name": "str", "public": "str", "envelope": "str"},
    "Set": {"count": "int", "root": "str"},
    "Deleted": {"scheme": "str", "files": "Set", "chunks": "Set"},
    "Bytes": {"freed": "int", "kept_shared": "int", "content": "int"},
    "Packs": {"dropped": "int", "rewritten": "int"},
    "Counts": {"files": "int", "records": "int", "chunks_exclusive": "int", "chunks_shared": "int", "bytes": "Bytes",
        "packs?": "Packs"},
    "Residue": {"kind": "str", "action": "str", "looked_at": "int", "found": "int"},
    "Held": {"kind": "str", "place": "str", "level": "?str", "method": "str", "status": "str"},
    "Tests": {"frames_read": "int", "bytes_read": "int", "canary_windows": "int", "chunks_without_window": "int",
        "canary_hits": "int", "readd_refused": "int", "retained_versions": "int", "retained_files": "int",
        "device_bytes": "?int"},
    "Phase": {"name": "str", "start": "time", "end": "time"}, "Version": {"version": "hash", "files": "int"},
    "Downstream": {"kind": "str", "name": "str", "used": "hash", "status?": "str"},
    "AsOf": {"number": "int", "hash": "str"},
    "Predicate": {
        "schema": "int", "number": "int", "plan": "str", "store": "str", "status": "str", "tool": "Tool",
        "reason": "str", "basis": "?str", "request": "?str", "requester": "Person", "approvals_needed": "int",
        "approvers": "[ApprovedBy]", "executor": "Person", "verifier": "Person", "planned": "time",
        "phases": "[Phase]", "issued": "time", "scope": "?str", "selectors": "int", "versions": "[Version]",
        "kept_for?": "[Version]", "counts": "Counts", "deleted": "Deleted", "residue": "[Residue]", "holders": "[Held]", "tests": "Tests",
        "downstream": "[Downstream]", "not_proven": "[str]", "previous": "?str", "journal": "AsOf",
    },
    "Approval": {"plan": "str", "store": "str", "journal": "int", "time": "time", "expires": "time"},
    "Envelope": {"payload": "str", "payloadType": "str", "signatures": "[Signature]"}, "Signature": {"keyid": "str", "sig": "str"},
}

def check_form(value, form):
    if form.startswith("?"):
        return value is None or check_form(value, form[1:])
    if form.startswith("["):
        must(isinstance(value, list), f"not a list of {form}")
        return [check_form(item, form[1:-1]) for item in value]
    if form == "str":
        return must(isinstance(value, str), "not a string")
    if form == "int":
        must(isinstance(value, int) and not isinstance(value, bool), "not an integer")
        return must(0 <= value < 2**53, "an integer that JSON cannot hold exactly")
    if form == "hash":
        return must(is_hash(value), "not a hash")
    if form == "time":
        return must(isinstance(value, str) and when(value) is not None, "not a time")
    must(isinstance(value, dict), f"{form} is no object")
    fields = {name.rstrip("?"): kind for name, kind in FORMS[form].items() if name[-1] != "?" or name[:-1] in value}
    must(set(value) == set(fields), f"{form} has not exactly its fields")
    return [check_form(value[name], kind) for name, kind in fields.items()]

def once(pairs):
    names = [name for name, _ in pairs]
    must(len(set(names)) == len(names), "a field stands there twice")
    return dict(pairs)

def read(data, form):
    """JSON in its canonical form (RFC 8785; all numbers here are integers), field by field."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_float=lambda _: must(False, "a fraction"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, ValueError) as error:
        raise Bad(f"not JSON: {error}")
    check_form(value, form)
    must(canonical(value) == data, "the JSON is not canonical")
    return value

def canonical(value):
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")
    except UnicodeEncodeError:
        raise Bad("half a character")

def is_hash(text):
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{64}", text, re.ASCII) is not None

def when(text):
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text, re.ASCII) or text >= "9999-12-30T22:00:00Z":
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None

def unbase64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Bad("not base64")
    must(base64.b64encode(data).decode() == text, "base64 in another form")
    return data

def public_key(line):
    """`stem-ed25519 BASE64` or `ssh-ed25519 BASE64`, with or without a comment."""
    parts = line.split()
    must(len(parts) >= 2 and parts[0] in ("stem-ed25519", "ssh-ed25519"), "not a public key")
    data = unbase64(parts[1])
    if parts[0] == "ssh-ed25519":
        head = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
        must(data.startswith(head), "not an Ed25519 key")
        data = data[len(head):]
    must(len(data) == 32 and not is_weak(data), "not an Ed25519 key, or one that proves nothing")
    return data

def is_weak(point):
    """Whether a point has a small order: with such keys one signature fits many messages."""
    return int.from_bytes(point, "little") % 2**255 % PRIME in WEAK

key_id = lambda key: hashlib.sha256(key).hexdigest()[:16]

def open_envelope(data, kind, key):
    """The payload of an envelope that exactly this key has signed."""
    envelope = read(data, "Envelope")
    must(envelope["payloadType"] == kind, "an envelope of another type")
    must(len(envelope["signatures"]) == 1, "not exactly one signature")
    payload = unbase64(envelope["payload"])
    signature = envelope["signatures"][0]
    must(signature["keyid"] == key_id(key), "the signature names another key")
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    signed = unbase64(signature["sig"])
    must(len(signed) == 64 and not is_weak(signed[:32]), "not a signature")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signed, message)
    except InvalidSignature:
        raise Bad("the signature is not of this key over this")
    return payload

def merkle_root(leaves):
    """RFC 9162, over commitments in the order of their bytes."""
    level = sorted(leaves)
    if not level:
        return hashlib.sha256(b"").digest()

    def root(part):
        if len(part) == 1:
            return part[0]
        split = 1 << ((len(part) - 1).bit_length() - 1)
        return hashlib.sha256(b"\x01" + root(part[:split]) + root(part[split:])).digest()

    return root(level)

def check_subjects(statement, one):
    subjects, deleted, counts = statement["subject"], one["deleted"], one["counts"]
    must(len(subjects) > 0, "no subject")
    must(deleted["scheme"] == SCHEME, "commitments of an unknown kind")
    must(deleted["files"]["count"] == len(subjects) == counts["files"], "the number of files")
    must(deleted["chunks"]["count"] == counts["chunks_exclusive"], "the number of chunks")
    must(counts["records"] == 0 or counts["records"] >= len(subjects), "fewer records than files that had some")
    must([s["name"] for s in subjects] == [f"erased-{n + 1}" for n in range(len(subjects))], "names of subjects")
    digests = [s["digest"]["stemSaltedSha256"] for s in subjects]
    must(all(map(is_hash, digests)) and len(set(digests)) == len(digests), "subjects that are no hashes, or twice")
    root = merkle_root([bytes.fromhex(digest) for digest in digests]).hex()
    must(deleted["files"]["root"] == root, "the root over the files")
    chunks = deleted["chunks"]
    must(is_hash(chunks["root"]), "the root over the chunks")
    must(chunks["count"] > 0 or chunks["root"] == merkle_root([]).hex(), "a root over nothing")

def check_times(one):
    phases = one["phases"]
    must([phase["name"] for phase in phases] == PHASES, "a part of the run is missing")
    before = when(one["planned"])
    for phase in phases:
        start, end = when(phase["start"]), when(phase["end"])
        must(before <= start <= end, "times out of order")
        before = start
    last = when(phases[-1]["end"])
    must(last == max(when(phase["end"]) for phase in phases), "something was done after it was looked at")
    must(last <= when(one["issued"]), "issued before it was done")

def check_tests(one):
    tests = one["tests"]
    must(tests["canary_hits"] == 0, "something was found")
    must(tests["readd_refused"] == one["counts"]["files"], "adding again was not tried for each file")
    must(tests["bytes_read"] > 0, "nothing was read")
    must(tests["retained_versions"] >= len(one["versions"]), "versions were not read")
    watched = tests["canary_windows"] > 0 or tests["chunks_without_window"] > 0
    must(watched or one["counts"]["chunks_exclusive"] == 0, "nothing was looked for")
    must([(row["kind"], row["action"]) for row in one["residue"]] == RESIDUE, "the table of residue")
    must(all(row["found"] == 0 or row["kind"] == "worktrees" for row in one["residue"]), "residue was found")
    must(len(one["not_proven"]) > 0, "it claims to prove everything")

def check_holders(one):
    stores = [holder for holder in one["holders"] if holder["kind"] == "store"]
    must(len(stores) == 1 and stores[0]["status"] == "confirmed", "not one confirmed store")
    for holder in one["holders"]:
        must(holder["kind"] in ("store", "worktree", "archive"), "a holder of an unknown kind")
        claim = (holder["status"], holder["level"])
        claims = (("confirmed", "L1"), ("confirmed", "L2"), ("unconfirmed", None), ("attested", None))
        must(claim in claims, "a level that cannot be given")
        if holder["level"] == "L2":
            said = "raw device" if one["tests"]["device_bytes"] is not None else "overwritten in place"
            must(said in holder["method"], "a level that its method does not give")
    final = all(holder["status"] != "unconfirmed" for holder in one["holders"])
    must(one["status"] == ("final" if final else "pending"), "the status does not follow from the holders")

def check_approvals(one):
    must(one["requester"]["key"] is None, "the requester has no key here")
    must(len(one["approvers"]) >= one["approvals_needed"], "approvals are missing")
    keys, frozen = set(), when(one["phases"][0]["start"])
    for approver in one["approvers"]:
        must(approver["name"] != one["requester"]["name"], "who asked for it has approved it")
        key = public_key(approver["public"])
        must(approver["public"] == "stem-ed25519 " + base64.b64encode(key).decode(), "a key in another form")
        must(key not in keys, "one key has approved it twice")
        keys.add(key)
        approval = read(open_envelope(approver["envelope"].encode(), APPROVAL, key), "Approval")
        must((approval["plan"], approval["store"]) == (one["plan"], one["store"]), "an approval of another plan")
        must(when(approval["time"]) <= frozen < when(approval["expires"]), "an approval that did not count")

def check(data, key):
    statement = read(open_envelope(data, PAYLOAD, key), "Statement")
    one = statement["predicate"]
    must(statement["_type"] == STATEMENT and statement["predicateType"] == PREDICATE, "another kind of statement")
    must(one["schema"] == 1 and one["tool"]["name"] == "stem", "an unknown schema or tool")
    must(is_hash(one["plan"]) and is_hash(one["store"]), "plan or store is no hash")
    must(any(not c.isspace() and unicodedata.category(c) != "Cc" for c in one["reason"]), "no reason")
    must(one["number"] >= 1 and (one["number"] == 1) == (one["previous"] is None), "number and previous disagree")
    must(one["previous"] is None or is_hash(one["previous"]), "the previous one is no hash")
    must(one["journal"]["number"] >= 1 and is_hash(one["journal"]["hash"]), "no journal")
    must(all(v["files"] > 0 for v in one["versions"] + one.get("kept_for", [])), "a version lists nothing of it")
    must(all(d.get("status", "erased") in FATES for d in one["downstream"]), "a fate that is not known")
    must(one["executor"]["key"] == one["verifier"]["key"] == key_id(key), "executor and signer are not the same")
    check_subjects(statement, one)
    check_times(one)
    check_tests(one)
    check_holders(one)
    check_approvals(one)
    return one

def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        data, key = (open(name, "rb").read() for name in arguments)
        one = check(data, public_key(key.decode("utf-8", "replace")))
    except OSError as problem:
        print(problem, file=sys.stderr)
        return 2
    except Bad as problem:
        print(f"It does not hold: {problem}")
        return 1
    print(f"It holds: certificate {one['plan'][:16]} ({one['status']}), files: {one['counts']['files']}")
    return 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
