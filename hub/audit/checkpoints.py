"""What a checkpoint says, as the text that the hub signs. Pure.

The form is that of a checkpoint of C2SP (tlog-checkpoint): log, number of records, root in base64, and one line of ours
with the time. Lines end with a line feed, so that one command of OpenSSL verifies the signature:

    trade-permission-system/A01:45X-TPS-HUB-DEM8
    4012
    HxYUB2VJx2jCBIQWn3ND1TwJ5Tn0wXnaKNbeGOWWMWM=
    time 2026-01-15T12:00:00.000000Z
"""

from base64 import b64encode
from datetime import datetime


def log_name(hub: str) -> str:
    """The name of the log of a hub, by its component code."""
    return f"trade-permission-system/{hub}"


def note(log: str, *, size: int, root: bytes, at: datetime) -> str:
    """The text of a checkpoint; `at` is UTC."""
    time = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"{log}\n{size}\n{b64encode(root).decode()}\ntime {time}\n"
