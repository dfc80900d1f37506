"""RabbitMQ's management interface, as far as provisioning needs it: JSON over HTTP, as the operator of the broker."""

import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aiohttp

from hub.errors import Unavailable
from hub.ports import Refused

TIMEOUT_S: Final = 30.0
DEAD_LETTER_SUPERVISOR: Final = "rabbit_fifo_dlx_sup"
"""It ends for good when a queue is deleted while it starts (RabbitMQ 3.10); then no queue of ours can be declared."""
_CONNECTIONS: Final = 4
_CREATED: Final = 201
_NOT_FOUND: Final = 404


class Management:
    """One broker's management interface, made by `managing`. Every call raises Unavailable or Refused."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def get(self, *path: str) -> Any:  # Any: JSON
        """What is there; None when it is not."""
        _, answer = await self._ask("GET", path)
        return answer

    async def put(self, *path: str, body: Mapping[str, object] | None = None) -> bool:
        """Make it so; whether it was made now."""
        status, _ = await self._ask("PUT", path, body or {})
        return status == _CREATED

    async def post(self, *path: str, body: Mapping[str, object]) -> Any:  # Any: JSON
        """Ask for something to be done."""
        _, answer = await self._ask("POST", path, body)
        return answer

    async def delete(self, *path: str) -> bool:
        """Take it away; whether it was there."""
        status, _ = await self._ask("DELETE", path)
        return status != _NOT_FOUND

    async def _ask(self, method: str, path: Iterable[str], body: Mapping[str, object] | None = None) -> tuple[int, Any]:
        words = "/".join(quote(word, safe="") for word in path)
        try:
            async with self._session.request(method, f"{self._url}/api/{words}", json=body) as answer:
                if answer.status == _NOT_FOUND and method != "POST":
                    return _NOT_FOUND, None
                if not answer.ok:
                    raise _refusal(answer.status, f"{method} {words}", await answer.text())
                is_json = answer.content_type == "application/json"
                return answer.status, await answer.json() if is_json and method in {"GET", "POST"} else None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(
                f"No management interface answers at {self._url}: {str(error) or type(error).__name__}."
            ) from error


@asynccontextmanager
async def managing(url: str, *, password: str = "", tls: ssl.SSLContext | None = None) -> AsyncIterator[Management]:
    """The management interface at `url` (`http://user@host:15672`), whose password may stand in it or beside it."""
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], path=parts.path.rstrip("/")))
    user, secret = unquote(parts.username or ""), unquote(parts.password or "") or password
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Basic {b64encode(f'{user}:{secret}'.encode()).decode()}"},
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=tls or True),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
    ) as session:
        yield Management(session, bare)


def _refusal(status: int, what: str, text: str) -> Refused:
    if status in {401, 403}:
        return Refused("The broker refuses this user. Expected: an administrator's name and password.")
    if DEAD_LETTER_SUPERVISOR in text:
        return Refused(
            f"The broker cannot make {what.partition(' ')[2]}: the part of RabbitMQ that minds dead letters has ended. "
            "Restart the node; messages that it confirmed stay."
        )
    return Refused(f"The broker refuses {what} ({status}): {text[:300]}")
