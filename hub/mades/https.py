"""One call to the component directory: TLS 1.3, bounded answers, errors by whose fault they are (floor 5)."""

from collections.abc import Mapping
from http import HTTPStatus
from ssl import SSLContext
from typing import Final

import aiohttp
import msgspec
from msgspec import Struct

from hub.errors import Rejected, Unavailable

MAX_BYTES: Final = 16 * 2**20
TIMEOUT_S: Final = 30.0
JSON: Final = "application/json"


class Reply(Struct, frozen=True):
    """What came back."""

    body: bytes
    headers: Mapping[str, str]


class _Problem(Struct):
    """The part of a problem (RFC 9457) that is told on."""

    detail: str = ""
    reason: str = ""


async def call(method: str, url: str, body: bytes, *, context: SSLContext, token: str = "") -> Reply:
    """Send a JSON body, read the answer.

    Raises:
        Rejected: the directory refuses it, for the reason and in the words that it gives.
        Unavailable: no answer, one that is too large, or the directory itself is in trouble.
    """
    headers = {"Content-Type": JSON} | ({"Authorization": f"Bearer {token}"} if token else {})
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, url, data=body, headers=headers, ssl=context, allow_redirects=False) as answer,
        ):
            content = await _bounded(answer.content)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(f"The component directory does not answer ({type(error).__name__}: {error}).") from error
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unavailable(f"The component directory is in trouble: {_told(content).detail or answer.reason}")
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        problem = _told(content)
        raise Rejected(problem.reason or str(answer.status), problem.detail or str(answer.reason))
    return Reply(content, answer.headers)


async def _bounded(stream: aiohttp.StreamReader) -> bytes:
    content = bytearray()
    async for chunk in stream.iter_any():
        content += chunk
        if len(content) > MAX_BYTES:
            raise Unavailable(f"The component directory sends more than {MAX_BYTES} bytes.")
    return bytes(content)


def _told(content: bytes) -> _Problem:
    try:
        return msgspec.json.decode(content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Problem()
