"""The frame of a message: `MADES` 01 00 00, the length of the manifest, the manifest (XML), the payload.

One opaque body, so that it survives any broker or file unchanged. Here are the frame, the compression and the measures;
what the manifest says is in `hub/mades/manifest.py`, how both are sealed in `hub/mades/seal.py`. All input is hostile:
sizes are bounded before anything is allocated.
"""

import hashlib
import zlib
from typing import Final

from msgspec import Struct

from hub.mades.errors import MadesError
from hub.mades.manifest import MAX_MANIFEST_BYTES
from hub.mades.message import Message

PREAMBLE: Final = b"MADES\x01\x00\x00"
_HEAD_BYTES: Final = len(PREAMBLE) + 4
_PAYS: Final = 0.95


class Limits(Struct, frozen=True):
    """How much one message may hold, in bytes of plain content."""

    max_content_bytes: int = 16 * 1024 * 1024

    def check(self, content_bytes: int, *, message: Message | None = None) -> None:
        """Refuse more.

        Raises:
            MadesError: E-TOO-LARGE.
        """
        if content_bytes > self.max_content_bytes:
            raise MadesError("E-TOO-LARGE", _over("content", content_bytes, self.max_content_bytes), message=message)


DEFAULT_LIMITS: Final = Limits()


def digest_of(content: bytes) -> str:
    """Hexadecimal SHA-256 of the plain content, so that evidence stays checkable from an archive."""
    return hashlib.sha256(content).hexdigest()


def framed(manifest: bytes, payload: bytes) -> bytes:
    """One body of both."""
    return PREAMBLE + len(manifest).to_bytes(4, "big") + manifest + payload


def parted(body: bytes) -> tuple[bytes, bytes]:
    """Manifest and payload of a body.

    Raises:
        MadesError: E-FORMAT, or E-TOO-LARGE for the manifest.
    """
    if body[: len(PREAMBLE)] != PREAMBLE or len(body) < _HEAD_BYTES:
        raise MadesError("E-FORMAT", f"The first {len(PREAMBLE)} bytes are not the preamble of a MADES message.")
    length = int.from_bytes(body[len(PREAMBLE) : _HEAD_BYTES], "big")
    if length > MAX_MANIFEST_BYTES:
        raise MadesError("E-TOO-LARGE", _over("manifest", length, MAX_MANIFEST_BYTES))
    if len(body) < _HEAD_BYTES + length:
        raise MadesError("E-FORMAT", f"The manifest has {len(body) - _HEAD_BYTES} of {length} bytes.")
    return body[_HEAD_BYTES : _HEAD_BYTES + length], body[_HEAD_BYTES + length :]


def deflated(content: bytes) -> bytes | None:
    """The content deflated, or None where that saves less than 5 %."""
    smaller = zlib.compress(content, 6)
    return smaller if len(smaller) < len(content) * _PAYS else None


def inflated(payload: bytes, bound: int) -> bytes | None:
    """The content, or None: no deflate stream, more than `bound` bytes, or something behind its end."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(payload, bound + 1)
    except zlib.error:
        return None
    return content if len(content) <= bound and inflater.eof and not inflater.unused_data else None


def _over(what: str, found: int, limit: int) -> str:
    return f"The {what} has {found} bytes, {limit} are allowed."
