"""Who is logged in: one password, and a signed cookie that outlives a restart of the hub (floor 7; F3).

The cookie holds the end of the session and a MAC keyed by the hub's secret and the password: a new password ends every
session. Who logs out ends one; that is remembered in this process alone, until the session would have ended by itself.
Wrong passwords are counted for each address, so that nobody can lock out others, and loosely for all together.
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
WRONG_IN_ALL: Final = 100
WRONG_WITHIN: Final = timedelta(minutes=1)


class Sessions:
    """Judges passwords and cookies. `secret` is the hub's own; a `password` of any length, never stored."""

    def __init__(self, password: str, *, secret: str, lasting: timedelta) -> None:
        self._password = password.encode()
        self._key = hmac.digest(secret.encode(), b"operator's pages\0" + self._password, sha256)
        self._lasting = lasting
        self._wrong: deque[tuple[Instant, str]] = deque(maxlen=WRONG_IN_ALL)
        self._ended: dict[str, int] = {}

    @property
    def lasting_s(self) -> int:
        """How long a session lasts, in seconds."""
        return int(self._lasting.total_seconds())

    def is_besieged(self, now: datetime, remote: str) -> bool:
        """Whether so many wrong passwords have come from an address, or in all, that no more are looked at for now."""
        late = [who for at, who in self._wrong if now - at < WRONG_WITHIN]
        return len(late) == WRONG_IN_ALL or late.count(remote) >= WRONG_AT_MOST

    def begin(self, password: str, now: datetime, remote: str) -> str | None:
        """The cookie of a new session; None when the password is wrong."""
        if not hmac.compare_digest(password.encode(errors="surrogatepass"), self._password):
            self._wrong.append((now, remote))
            return None
        content = f"{int((now + self._lasting).timestamp())}.{secrets.token_urlsafe(8)}"
        return f"{content}.{self._mac(content)}"

    def is_valid(self, cookie: str, now: datetime) -> bool:
        """Whether this is a cookie of ours that has not ended."""
        return self._end_of(cookie) > now.timestamp() and cookie not in self._ended

    def end(self, cookie: str, now: datetime) -> None:
        """End a session before its time; what is no cookie of ours ends nothing."""
        self._ended = {each: end for each, end in self._ended.items() if end > now.timestamp()}
        if self.is_valid(cookie, now):
            self._ended[cookie] = self._end_of(cookie)

    def _end_of(self, cookie: str) -> int:
        """When a cookie of ours ends, in seconds since 1970; others have ended always."""
        content, _, mac = cookie.rpartition(".")
        if not mac.isascii() or not hmac.compare_digest(mac, self._mac(content)):
            return 0
        return int(content.partition(".")[0])

    def _mac(self, content: str) -> str:
        return hmac.new(self._key, content.encode(errors="surrogateescape"), sha256).hexdigest()
