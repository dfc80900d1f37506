"""The contract beside the interface it describes: `/openapi.json`, `/api.raml`, `/docs`. Needs no token (floor 7)."""

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

from aiohttp import web

from raml.flat import flat
from raml.openapi import openapi
from raml.page import STYLE_HASH, page
from raml.reader import read

RAML = "application/raml+yaml"
DOCS_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src '{STYLE_HASH}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The page has one style sheet inside and no script: nothing else may load or run."""


def routes(api: str) -> Sequence[web.RouteDef]:
    """The routes of a contract, `agr` or `dso`. Raises RamlError at once when it cannot be read."""
    _contents(api)
    return [
        web.get("/openapi.json", _serve(api, 0, "application/json"), allow_head=False),
        web.get("/api.raml", _serve(api, 1, RAML), allow_head=False),
        web.get("/docs", _serve(api, 2, "text/html", {"Content-Security-Policy": DOCS_POLICY}), allow_head=False),
    ]


def _serve(
    api: str, part: int, content_type: str, headers: dict[str, str] | None = None
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        text = _contents(api)[part]
        return web.Response(text=text, content_type=content_type, charset="utf-8", headers=headers)

    return answer


@lru_cache
def _contents(api: str) -> tuple[str, str, str]:
    """OpenAPI, RAML and page of a contract, made once."""
    contract = read(f"{api}.raml")
    return json.dumps(openapi(contract), ensure_ascii=False), flat(f"{api}.raml"), page(contract)
