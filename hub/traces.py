"""Traces: where the time of a document goes, from step to step and from one component to the next (floor 2).

A span is told when its step is done: which step, of which document, from when to when. Nothing of a trace travels
between components (NF3): both ends derive its id from the business document id that travels with a message anyway.
So a DSO's gateway and the hub share the trace of the DSO's document, and every copy, whose mRID is a keyed hash (R18),
has a trace of its own, shared by the hub and one AGR's gateway. What may stand in a span is what `Span` holds.
`hub.otel` sends spans; where traces are off, nobody does.
"""

import hashlib
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from documents.values import Instant


class Step(StrEnum):
    """What is done with a document on its way."""

    WRITE = "write"
    """A client's request, until the gateway answers it."""
    SEND = "send"
    """From accepted to confirmed by the broker."""
    RECEIVE = "receive"
    """From opened to committed."""
    DECIDE = "decide"
    """At the hub: from read to committed; a part of `receive`."""
    ANSWER = "answer"
    """A long poll's answer carries it to a client."""


class Span(Struct, frozen=True, kw_only=True):
    """A step that is done with a document; one without an id is passed over.

    `state` is a code: a verdict. `origins` are the documents this one was made from: their traces are linked.
    """

    step: Step
    document: str
    begun: Instant
    ended: Instant
    revision: int | None = None
    business_type: str | None = None
    state: str | None = None
    origins: tuple[str, ...] = ()


Traces = Callable[[Span], None]
"""Where spans are told."""


def no_traces(_: Span) -> None:
    """Tell nobody."""


def trace_of(document: str) -> tuple[int, int]:
    """The ids of a document's trace (16 bytes), and of what a link to it names as its span (8 bytes)."""
    digest = hashlib.sha256(f"tps-trace/{document}".encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])
