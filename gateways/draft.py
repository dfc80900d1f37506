"""A document on its way to be sent: the brain gives it its instant, and holds it when its turn has not come (R10)."""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from documents.model import Document
from gateways.rows import Rejection

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for `created` until the brain puts the real instant in its place."""


class Draft(Struct, frozen=True, kw_only=True):
    """A document without its instant, and items of the wish that it could not take in."""

    document: Document | None
    refused: tuple[Rejection, ...] = ()
