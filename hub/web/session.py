"""Who is logged in: one password, and a signed cookie that outlives a restart of the hub (floor 7; F3).

The cookie holds the end of the session and a MAC keyed by the hub's secret and the password: nothing is stored, and a
new password ends every session. Wrong passwords are counted for everybody together, because there is one to guess.
"""

import hmac
import secrets
from collections import deque
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from documents.values import Instant

COOKIE: Final = "tps-operator"
WRONG_AT_MOST: Final = 10
WRONG_WITHIN: Final = timedelta(minutes=1)


class Sessions:
    """Judges passwords and cookies. `secret` is the hub's own; a `password` of any length, never stored."""

    def __init__(self, password: str, *, secret: str, lasting: timedelta) -> None:
        self._password = password.encode()
        self._key = hmac.digest(secret.encode(), b"operator's pages\0" + self._password, sha256)
        self._lasting = lasting
        self._wrong: deque[Instant] = deque(maxlen=WRONG_AT_MOST)

    @property
    def lasting_s(self) -> int:
        """How long a session lasts, in seconds."""
        return int(self._lasting.total_seconds())

    def is_besieged(self, now: datetime) -> bool:
        """Whether so many wrong passwords have come that no more are looked at for now."""
        return len(self._wrong) == WRONG_AT_MOST and now - self._wrong[0] < WRONG_WITHIN

    def begin(self, password: str, now: datetime) -> str | None:
        """The cookie of a new session; None when the password is wrong."""
        if not hmac.compare_digest(password.encode(), self._password):
            self._wrong.append(now)
            return None
        content = f"{int((now + self._lasting).timestamp())}.{secrets.token_urlsafe(8)}"
        return f"{content}.{self._mac(content)}"

    def is_valid(self, cookie: str, now: datetime) -> bool:
        """Whether this is a cookie of ours that has not ended."""
        content, _, mac = cookie.rpartition(".")
        if not mac.isascii() or not hmac.compare_digest(mac, self._mac(content)):
            return False
        return now.timestamp() < int(content.partition(".")[0])

    def _mac(self, content: str) -> str:
        return hmac.new(self._key, content.encode(errors="surrogateescape"), sha256).hexdigest()
