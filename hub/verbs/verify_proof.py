"""Check a proof that a message is in the hub's log: offline, with Python and OpenSSL, and with nothing of the hub.

    python3 -I verify_proof.py PROOF --root root.pem --document MESSAGE.xml

PROOF is what the operator of the hub wrote for you (`tps events prove`), `root.pem` the root of the platform in the
folder of your keys, MESSAGE.xml what you sent. What is checked: the root vouches for the certificate of the hub, the
certificate for the checkpoint, the checkpoint for the record, the record for the document. Ends with 0 when all of it
holds, with 1 when something does not, with 2 when it was used wrongly.

This file stands alone, so that it can be read before it is believed. Trees: RFC 9162, section 2.1.
"""

import argparse
import base64
import hashlib
import json
import struct
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

FORMAT = "tps-proof.v1"


class NotProven(Exception):
    """Something of the proof does not hold."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf (RFC 9162 2.1.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of_inclusion(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root of the tree of `size` leaves that has the leaf with this hash at `index` (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        raise NotProven(f"leaf {index} cannot be in a tree of {size}")
    here, last, root = index, size - 1, leaf
    for node in path:
        if last == 0:
            raise NotProven("the path is too long")
        if here & 1 or here == last:
            root = node_hash(node, root)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            root = node_hash(root, node)
        here, last = here >> 1, last >> 1
    if last:
        raise NotProven("the path is too short")
    return root


def roots_of_consistency(  # noqa: C901 # the steps of the RFC in its order
    old: int, new: int, old_root: bytes, path: list[bytes]
) -> tuple[bytes, bytes]:
    """The roots of both trees that the path leads to; `old_root` is where it begins (RFC 9162 2.1.4.2)."""
    if not 0 < old <= new:
        raise NotProven(f"a tree of {old} leaves cannot be the beginning of one of {new}")
    if old == new:
        if path:
            raise NotProven("the path is too long")
        return old_root, old_root
    nodes = [old_root, *path] if old & (old - 1) == 0 else path
    if not nodes:
        raise NotProven("the path is too short")
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    first = second = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise NotProven("the path is too long")
        if here & 1 or here == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            second = node_hash(second, node)
        here, last = here >> 1, last >> 1
    if last:
        raise NotProven("the path is too short")
    return first, second


def check_signature(checkpoint: dict[str, Any], root_file: str) -> tuple[str, int, bytes, str]:
    """Log, number of records, tree root and time of a checkpoint that the hub has signed."""
    note = checkpoint["note"]
    lines = note.split("\n")
    if len(lines) != 5 or not lines[3].startswith("time ") or lines[4]:
        raise NotProven("the checkpoint is not in the form of one")
    log, size, tree, time = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True), lines[3][5:]
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, name) for name in ("note", "signature", "leaf.pem", "issuing.pem", "key.pem")}
        files["note"].write_bytes(note.encode())
        files["signature"].write_bytes(base64.b64decode(checkpoint["signature"], validate=True))
        files["leaf.pem"].write_text(checkpoint["certificates"][0])
        files["issuing.pem"].write_text(checkpoint["certificates"][1])
        at = str(int(datetime.fromisoformat(time).timestamp()))
        trusted = ("-no-CApath", "-no-CAstore", "-CAfile", root_file, "-untrusted", str(files["issuing.pem"]))
        openssl("the certificate of the hub", "verify", "-attime", at, *trusted, str(files["leaf.pem"]))
        subject = openssl("the certificate", "x509", "-in", str(files["leaf.pem"]), "-noout", "-subject")
        holder = subject.partition("CN")[2].strip(" =\n")
        if not holder or log != f"trade-permission-system/{holder}":
            raise NotProven(f"the checkpoint of {log} is signed by {holder}")
        key = openssl("the certificate", "x509", "-in", str(files["leaf.pem"]), "-noout", "-pubkey")
        files["key.pem"].write_text(key)
        signature = ("-verify", str(files["key.pem"]), "-signature", str(files["signature"]))
        openssl("the signature of the checkpoint", "dgst", "-sha256", *signature, str(files["note"]))
    return log, size, tree, time


def openssl(what: str, *arguments: str) -> str:
    """What OpenSSL prints, if it finds that all is well."""
    run = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607 # no shell; your OpenSSL
    if run.returncode:
        raise NotProven(f"{what} does not hold: {(run.stderr or run.stdout).strip()}")
    return run.stdout


def fields_of(record: bytes) -> dict[str, Any]:
    """What a record says: its place, its kind, its cause, and the event (MessagePack)."""
    position, version, microseconds = struct.unpack_from(">qqq", record)
    texts, at = [], 24
    for _ in range(4):
        (length,) = struct.unpack_from(">q", record, at)
        texts.append(record[at + 8 : at + 8 + length])
        at += 8 + length
    stream, topic, state, cause = texts
    return {
        "position": position,
        "stream": stream.decode(),
        "version": version,
        "topic": topic.decode(),
        "microseconds": microseconds,
        "cause": cause.decode(),
        "event": unpacked(state, 0)[0],
    }


NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
NUMBERS |= {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
TEXTS = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
LISTS = {0xDC: ">H", 0xDD: ">I"}
MAPS = {0xDE: ">H", 0xDF: ">I"}


def unpacked(data: bytes, at: int) -> tuple[Any, int]:
    """One value of MessagePack (msgpack.org), of the kinds that events are made of, and where the next one begins."""
    kind = data[at]
    at += 1
    if kind < 0x80 or kind >= 0xE0:
        return (kind if kind < 0x80 else kind - 0x100), at
    if kind in CONSTANTS:
        return CONSTANTS[kind], at
    if kind in NUMBERS:
        return number(data, at, NUMBERS[kind])
    if kind < 0xC0:
        length = kind & (0x1F if kind >= 0xA0 else 0x0F)
        kind = 0xD9 if kind >= 0xA0 else 0xDC if kind >= 0x90 else 0xDE
    elif kind in TEXTS | LISTS | MAPS:
        length, at = number(data, at, (TEXTS | LISTS | MAPS)[kind])
    else:
        return timestamp(data, at, kind)
    if kind in TEXTS:
        return data[at : at + length].decode(), at + length
    return unpacked_list(data, at, length) if kind in LISTS else unpacked_map(data, at, length)


def number(data: bytes, at: int, form: str) -> tuple[Any, int]:
    """A number of that form."""
    return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)


def timestamp(data: bytes, at: int, kind: int) -> tuple[float, int]:
    """Seconds since 1970 (the extension of type -1)."""
    lengths = {0xD6: 4, 0xD7: 8, 0xC7: 12}
    start = at + (2 if kind == 0xC7 else 1)
    if kind not in lengths or data[start - 1] != 0xFF:
        raise NotProven(f"the record holds something of kind {kind:#x}")
    end = start + lengths[kind]
    if kind == 0xD6:
        return int.from_bytes(data[start:end], "big"), end
    if kind == 0xD7:
        both = int.from_bytes(data[start:end], "big")
        return (both & 0x3FFFFFFFF) + (both >> 34) / 1e9, end
    nanoseconds, seconds = struct.unpack_from(">Iq", data, start)
    return seconds + nanoseconds / 1e9, end


def unpacked_list(data: bytes, at: int, length: int) -> tuple[list[Any], int]:
    """So many values."""
    values = []
    for _ in range(length):
        value, at = unpacked(data, at)
        values.append(value)
    return values, at


def unpacked_map(data: bytes, at: int, length: int) -> tuple[dict[Any, Any], int]:
    """So many names, each with its value."""
    values = {}
    for _ in range(length):
        name, at = unpacked(data, at)
        values[name], at = unpacked(data, at)
    return values, at


def check(proof: dict[str, Any], root_file: str, document: bytes | None) -> list[str]:
    """What the proof proves, in words. Raises NotProven."""
    if proof["format"] != FORMAT:
        raise NotProven(f"the proof is of the form {proof['format']}, expected {FORMAT}")
    log, size, tree, time = check_signature(proof["checkpoint"], root_file)
    proven = [f"{log} had {size} records at {time}, as the hub has signed."]
    if inclusion := proof.get("inclusion"):
        proven += check_inclusion(inclusion, size, tree, document)
    elif document is not None:
        raise NotProven("the proof is about no record, so about no document either")
    if consistency := proof.get("consistency"):
        earlier_log, earlier, earlier_tree, earlier_time = check_signature(consistency["checkpoint"], root_file)
        path = [base64.b64decode(node, validate=True) for node in consistency["path"]]
        if earlier_log != log or roots_of_consistency(earlier, size, earlier_tree, path) != (earlier_tree, tree):
            raise NotProven("the log does not begin with what it was at the earlier checkpoint")
        proven.append(f"Its first {earlier} records are those it had at {earlier_time}.")
    return proven


def check_inclusion(inclusion: dict[str, Any], size: int, tree: bytes, document: bytes | None) -> list[str]:
    """What the record says, once it is known to be in the tree."""
    record = base64.b64decode(inclusion["record"], validate=True)
    salt = base64.b64decode(inclusion["salt"], validate=True)
    path = [base64.b64decode(node, validate=True) for node in inclusion["path"]]
    fields = fields_of(record)
    if root_of_inclusion(leaf_hash(salt + record), fields["position"] - 1, size, path) != tree:
        raise NotProven("the record is not the one in the log at its position")
    proven = [f"Record {fields['position']} of it is {fields['topic']}:", json.dumps(fields["event"], indent=2)]
    if document is not None:
        digest = hashlib.sha256(document).hexdigest()
        recorded = fields["event"].get("origin", {}).get("digest")
        if recorded != digest:
            raise NotProven(f"the document has the digest {digest}, the record says {recorded}")
        proven.append("The record is about exactly this document.")
    return proven


def main() -> int:
    """Check the proof that the command line names."""
    parser = argparse.ArgumentParser(description="Check a proof that a message is in the hub's log.")
    parser.add_argument("proof", type=Path, help="what `tps events prove` wrote")
    parser.add_argument("--root", type=Path, required=True, help="certificate of the platform's root (PEM)")
    parser.add_argument("--document", type=Path, help="the message that the proof is about")
    given = parser.parse_args()
    try:
        proof = json.loads(given.proof.read_bytes())
        document = given.document.read_bytes() if given.document else None
        given.root.read_bytes()
    except (OSError, ValueError) as error:
        print(f"Cannot be read: {error}", file=sys.stderr)
        return 2
    try:
        print("\n".join(check(proof, str(given.root), document)))
    except NotProven as error:
        print(f"Not proven: {error}.", file=sys.stderr)
        return 1
    except (KeyError, IndexError, TypeError, ValueError, struct.error) as error:
        print(f"Not proven: the file is not in the form of a proof ({error!r}).", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
