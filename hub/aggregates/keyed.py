"""The one place where an mRID that leaves the hub is made: a keyed hash that tells nothing of what went in (R18, NF3).

Whoever does not hold the hub's secret can neither guess an input from an mRID nor link two audiences' mRIDs.
"""

import hmac


def keyed_mrid(secret: bytes, *parts: str) -> str:
    """32 hexadecimal digits of HMAC-SHA-256 over the parts, each with its length so that no two lists collide."""
    message = b"".join([len(encoded).to_bytes(4, "big") + encoded for encoded in map(str.encode, parts)])
    return hmac.digest(secret, message, "sha256").hex()[:32]
