#!/usr/bin/env python3
"""Checks the archive that this file lies in. Needs Python 3.8 or later and nothing else.

Every SHA-256 digest is checked, that no file is missing or was added, that the version's record has
the id that the archive is named after, and that the journal's entries have their hashes and stand in
the tree under the checkpoint. Who has signed that is for `stem archive verify --key` to say. With
--blake3 the BLAKE3 digests are checked as well.
Exit code 0: nothing is wrong; 1: something is; what, is printed.
"""
import base64
import hashlib
import io
import json
import os
import struct
import sys

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
START, END, PARENT, ROOT = 1, 2, 4, 8
MASK = 0xFFFFFFFF


def compress(chaining, block, counter, length, flags):
    """The compression function of BLAKE3."""
    s = list(chaining) + list(IV[:4]) + [counter & MASK, counter >> 32, length, flags]
    words = list(struct.unpack("<16I", block.ljust(64, b"\0")))

    def mix(a, b, c, d, x, y):
        s[a] = (s[a] + s[b] + x) & MASK
        s[d] = ((s[d] ^ s[a]) >> 16 | (s[d] ^ s[a]) << 16) & MASK
        s[c] = (s[c] + s[d]) & MASK
        s[b] = ((s[b] ^ s[c]) >> 12 | (s[b] ^ s[c]) << 20) & MASK
        s[a] = (s[a] + s[b] + y) & MASK
        s[d] = ((s[d] ^ s[a]) >> 8 | (s[d] ^ s[a]) << 24) & MASK
        s[c] = (s[c] + s[d]) & MASK
        s[b] = ((s[b] ^ s[c]) >> 7 | (s[b] ^ s[c]) << 25) & MASK

    for _ in range(7):
        for i in range(4):
            mix(i, 4 + i, 8 + i, 12 + i, words[2 * i], words[2 * i + 1])
        for i in range(4):
            mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, words[8 + 2 * i], words[9 + 2 * i])
        words = [words[at] for at in ORDER]
    return [s[i] ^ s[i + 8] for i in range(8)]


def chunk(data, counter, root):
    """The chaining value of up to 1,024 bytes."""
    value = IV
    blocks = [data[at:at + 64] for at in range(0, len(data), 64)] or [b""]
    for number, block in enumerate(blocks):
        flags = START if number == 0 else 0
        if number == len(blocks) - 1:
            flags |= END | (ROOT if root else 0)
        value = compress(value, block, counter, len(block), flags)
    return value


def blake3_python(file):
    """BLAKE3 of a file, slowly."""
    stack, counter, data = [], 0, file.read(1024)
    following = file.read(1024)
    while following:
        value, total = chunk(data, counter, False), counter + 1
        while total % 2 == 0:
            value = compress(IV, struct.pack("<16I", *stack.pop(), *value), 0, 64, PARENT)
            total //= 2
        stack.append(value)
        counter, data = counter + 1, following
        following = file.read(1024)
    value = chunk(data, counter, not stack)
    while stack:
        flags = PARENT | (0 if len(stack) > 1 else ROOT)
        value = compress(IV, struct.pack("<16I", *stack.pop(), *value), 0, 64, flags)
    return struct.pack("<8I", *value).hex()


def blake3_package(file):
    """BLAKE3 of a file, by the package."""
    import blake3
    hasher = blake3.blake3()
    for block in iter(lambda: file.read(1 << 20), b""):
        hasher.update(block)
    return hasher.hexdigest()


def sha256(file):
    """SHA-256 of a file."""
    hasher = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b""):
        hasher.update(block)
    return hasher.hexdigest()


def unescape(name):
    """The name that a line of a manifest means."""
    for code, sign in (("%0D", "\r"), ("%0d", "\r"), ("%0A", "\n"), ("%0a", "\n"), ("%25", "%")):
        name = name.replace(code, sign)
    return name


def read_manifest(path):
    """Digests by name."""
    lines = {}
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            digest, name = line.rstrip("\n").split("  ", 1)
            lines[unescape(name)] = digest
    return lines


def root_by_proof(digest, index, size, path):
    """The root of a tree of that size with this entry at that place (RFC 9162, section 2.1.3.2)."""
    node, last = hashlib.sha256(b"\0" + digest).digest(), size - 1
    if not 0 <= index < size:
        return None
    for beside in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            node = hashlib.sha256(b"\1" + beside + node).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + beside).digest()
        index, last = index >> 1, last >> 1
    return node if last == 0 else None


def read_lines(top, name):
    """The lines of a file about the archive."""
    with open(os.path.join(top, "stem", name), encoding="utf-8", newline="\n") as file:
        return file.read().split("\n")[:-1]


def check_journal(top):
    """What is wrong with the journal's entries, their hashes and proofs."""
    entries, wrong = [], []
    for line in read_lines(top, "journal.jsonl"):
        entry = json.loads(line)
        plain = line.replace(',"hash":"%s"' % entry["hash"], "", 1).encode("utf-8")
        if blake3_python(io.BytesIO(plain)) != entry["hash"]:
            wrong.append("stem/journal.jsonl: entry %s does not have its hash" % entry["number"])
        entries.append(entry)
    if not os.path.exists(os.path.join(top, "stem", "journal-proofs.jsonl")):
        return wrong
    note = read_lines(top, "checkpoint.note")
    size, root = int(note[1]), base64.b64decode(note[2])
    proofs = [json.loads(line) for line in read_lines(top, "journal-proofs.jsonl")]
    if [one["number"] for one in proofs] != [entry["number"] for entry in entries]:
        return wrong + ["stem/journal-proofs.jsonl: it is not about the entries of the journal"]
    for entry, proof in zip(entries, proofs):
        path = [bytes.fromhex(one) for one in proof["path"]]
        if root_by_proof(bytes.fromhex(entry["hash"]), entry["number"] - 1, size, path) != root:
            wrong.append("stem/journal-proofs.jsonl: it does not prove entry %s" % entry["number"])
    return wrong


def main():
    """Checks everything; what is wrong, in words."""
    top = os.path.dirname(os.path.abspath(__file__))
    algorithms = {"sha256": sha256}
    if "--blake3" in sys.argv[1:]:
        try:
            import blake3  # noqa: F401
            algorithms["blake3"] = blake3_package
        except ImportError:
            algorithms["blake3"] = blake3_python
    files = set()
    for directory, _, names in os.walk(top):
        for name in names:
            files.add(os.path.relpath(os.path.join(directory, name), top).replace(os.sep, "/"))
    wrong = []
    for algorithm, digest in algorithms.items():
        for kind in ("manifest", "tagmanifest"):
            name = "%s-%s.txt" % (kind, algorithm)
            try:
                expected = read_manifest(os.path.join(top, name))
            except (OSError, ValueError) as error:
                wrong.append("%s: %s" % (name, error))
                continue
            payload = {one for one in files if one.startswith("data/")}
            tags = {one for one in files - payload if not one.startswith("tagmanifest-")}
            present = payload if kind == "manifest" else tags
            for missing in sorted(set(expected) - present):
                wrong.append("%s: it is missing" % missing)
            for added in sorted(present - set(expected)):
                wrong.append("%s: it is not in %s" % (added, name))
            for one in sorted(present & set(expected)):
                with open(os.path.join(top, one), "rb") as file:
                    if digest(file) != expected[one]:
                        wrong.append("%s: its %s digest is another" % (one, algorithm))
    with open(os.path.join(top, "stem", "archive.json"), encoding="utf-8") as file:
        about = json.load(file)
    with open(os.path.join(top, "stem", "version.json"), "rb") as file:
        identity = blake3_python(file)
    if identity != about["version"]:
        wrong.append("stem/version.json: it is version %s, not %s" % (identity, about["version"]))
    try:
        wrong += check_journal(top)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        wrong.append("stem/journal.jsonl: %r" % error)
    for one in wrong:
        print(ascii(one)[1:-1])
    print("%s: %d problems" % (about["version"], len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
