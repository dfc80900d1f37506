"""A record of the log as a leaf of the Merkle tree: opened for one, closed for all others. Pure.

A proof shows the hashes of other leaves. Records hold little that cannot be guessed (who, which watts, when), and the
hash of what can be guessed tells whether a guess is right. So 32 bytes that nobody can guess stand before each record:
a keyed hash of its position, which the hub tells for the proven record only (docs/privacy.md).
"""

import hmac
from typing import Final

from hub.audit.merkle import leaf_hash

_PURPOSE: Final = b"tps/leaf-salt.v1"


class Salts:
    """The salt of each position, from the hub's secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, "sha256")

    def salt(self, position: int) -> bytes:
        """32 bytes; to be told to nobody but whom the record at this position belongs to."""
        return hmac.digest(self._key, position.to_bytes(8, "big"), "sha256")

    def leaf(self, position: int, record: bytes) -> bytes:
        """The hash of the leaf of a record (hub.audit.records.record_of)."""
        return leaf_hash(self.salt(position) + record)
