"""Where the contract is served beside the interface it describes: `/openapi.json`, `/api.raml`, `/docs`."""

from collections.abc import Sequence
from typing import Literal

from aiohttp import web

from raml import site


def routes(api: Literal["agr", "dso"]) -> Sequence[web.AbstractRouteDef]:
    """Routes that need no token. Raises RamlError."""
    return site.routes(api)
