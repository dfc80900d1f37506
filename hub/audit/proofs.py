"""Proofs as they are handed out: a checkpoint, a record in it, an older checkpoint before it. Pure values.

They are written as JSON, bytes in base64; hub/verbs/verify_proof.py reads them with nothing of ours.
"""

from typing import Final

from msgspec import Struct

FORMAT: Final = "tps-proof.v1"


class SignedNote(Struct, frozen=True, kw_only=True):
    """A checkpoint (hub.audit.checkpoints), its signature, and the certificates behind it (PEM): signer, issuing."""

    note: str
    signature: bytes
    certificates: tuple[str, str]


class Inclusion(Struct, frozen=True, kw_only=True):
    """A record, the salt of its leaf, and the path from it to the root of the tree."""

    record: bytes
    salt: bytes
    path: tuple[bytes, ...]


class Consistency(Struct, frozen=True, kw_only=True):
    """An older checkpoint, and the path that shows the tree to begin with the older one."""

    checkpoint: SignedNote
    path: tuple[bytes, ...]


class Proof(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `tps events prove` writes. `audience` is the one whom it may be given to."""

    format: str
    audience: str
    checkpoint: SignedNote
    inclusion: Inclusion | None = None
    consistency: Consistency | None = None
