"""Rows, spans and events in one line each, as an operator or a regulator reads them (pure)."""

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from documents.identifiers import code_of
from documents.values import Instant, Interval, Period, Reason
from hub.rows import AgrAsset, AgrLimit, Answer, DsoAsset, DsoSchedule, Response
from hub.values import AssetOrder, AssetShare, Capability


def utc(at: Instant) -> str:
    """An instant in UTC, with milliseconds where it has any."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}" + (f".{at.microsecond // 1000:03}Z" if at.microsecond else "Z")


def span(interval: Interval) -> str:
    """A half-open span."""
    return f"{utc(interval.start)} to {utc(interval.end)}"


def watts(periods: Iterable[Period]) -> str:
    """The values of a curve, from the least to the most."""
    quantities = [point.quantity for period in periods for point in period.points]
    if not quantities:
        return "no power"
    least, most = min(quantities), max(quantities)
    return f"{least} W" if least == most else f"{least} to {most} W"


def capability(held: Capability) -> str:
    """What an asset can do."""
    ways = [(held.max_production, "produces"), (held.max_consumption, "consumes")]
    return ", ".join(f"{verb} up to {most} W" for most, verb in ways if most)


def reasons(given: Iterable[Reason]) -> str:
    """Codes with their texts."""
    return "; ".join(f"{reason.code} {reason.text or ''}".strip() for reason in given)


def row(payload: Any) -> str:  # a row type of hub.rows
    """The payload of a participant's row in one line; None is a withdrawal."""
    match payload:
        case None:
            return "withdrawn"
        case DsoAsset() | AgrAsset():
            return f"at point {code_of(payload.point)}, {capability(payload.capability)}"
        case DsoSchedule(withdrawn=True):
            return f"asset {code_of(payload.resource)}, withdrawn"
        case DsoSchedule():
            spans = payload.intervals
            whole = Interval(spans[0].start, spans[-1].end)
            return f"asset {code_of(payload.resource)}, {span(whole)}, {watts(payload.periods)}"
        case AgrLimit():
            return _limit(payload)
        case Answer():
            about = payload.received.mrid or payload.received.title
            return f"answer to {about}: {reasons(payload.reasons)}"
        case Response():
            return f"data for request {payload.request}"
        case _:
            return repr(payload)


def _limit(limit: AgrLimit) -> str:
    said = ", ".join([*map(part, limit.shares), *map(part, limit.orders)])
    cancelled = "cancelled; it said: " if limit.cancelled else ""
    return f"revision {limit.revision}, {limit.kind}, {limit.direction}, {span(limit.interval)}: {cancelled}{said}"


def part(each: AssetShare | AssetOrder) -> str:
    """One asset's part of a limit."""
    if isinstance(each, AssetOrder):
        return f"{code_of(each.resource)} {each.action}"
    return f"{code_of(each.resource)} {watts(each.periods)}"
