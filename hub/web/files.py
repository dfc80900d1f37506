"""The files of the pages, and what every answer beside them carries (floor 7; F3).

No path of a request ever becomes one of this machine: what is served is a list made at the start. No file names another
origin, and the policy of the pages would not let it.
"""

import mimetypes
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from aiohttp import web

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "tps",
}
STREAM: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def file_of(path: str) -> web.Response:
    """A file of the pages by its path below them, the first page for none. Raises HTTPNotFound."""
    name = path or "index.html"
    content = _files().get(name)
    if content is None:
        raise web.HTTPNotFound(text="There is no such page.")
    kind = "text/javascript" if name.endswith((".js", ".mjs")) else mimetypes.guess_type(name)[0]
    headers = {**HEADERS, "Cache-Control": "no-cache"}
    return web.Response(body=content, content_type=kind or "text/plain", charset="utf-8", headers=headers)


def is_ours(request: web.Request) -> bool:
    """Whether a writing request comes from a page of ours, as far as its browser tells; others send JSON at least."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    if origin is not None and origin.partition("://")[2] != request.host:
        return False
    return request.content_type == "application/json"


@cache
def _files() -> Mapping[str, bytes]:
    return dict(_below(resources.files(__package__) / "static", ""))


def _below(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _below(each, f"{path}{each.name}/")
        else:
            yield path + each.name, each.read_bytes()
