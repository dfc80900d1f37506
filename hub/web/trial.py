"""A limit that somebody wonders about: said in a form, or as the document that would be sent (floor 7; F3)."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from documents.values import Identifier, Instant, Power, Reason
from hub.values import Action, Direction

MOST_W: Final = 10**15
"""More than any grid has, and a number for every table."""


class Step(Struct, rename="camel", forbid_unknown_fields=True):
    """From here on, this much, in whole watts; None: no limit."""

    start: Instant
    watts: Annotated[Power, Meta(ge=-MOST_W, le=MOST_W)] | None


class Trial(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What a DSO might send: a `document`, or else a limit from `start` to `end` on these assets.

    With an `action` it is unforeseen; without, foreseen, with the total that `steps` give, first step first.
    """

    dso: Identifier
    document: str = ""
    direction: Direction = Direction.CONSUMPTION
    assets: tuple[str, ...] = ()
    start: Instant | None = None
    end: Instant | None = None
    steps: tuple[Step, ...] = ()
    action: Action | None = None


class Refusal(Struct):
    """Why the hub would refuse it."""

    reasons: tuple[Reason, ...]
