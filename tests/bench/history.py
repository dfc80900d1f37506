"""A long life of a hub, made up: what a market of aggregators and grid operators says in many days.

Most of a log is plans and the answers to them; limits, shares of them and what gateways acknowledge make up the rest.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from stdnum.eu import eic

from documents.codes import ReasonCode
from documents.identifiers import code_of
from documents.values import Identifier, Interval, Period, Point, Reason
from hub.brain import HubBrain
from hub.commands import (
    AddParticipant,
    AnnounceLimit,
    Command,
    ForeseenSeries,
    NoteAcknowledgement,
    Origin,
    PointItem,
    RegisterPoints,
    RegisterResources,
    ResourceItem,
    ScheduleItem,
    SubmitSchedules,
)
from hub.events import DocumentAnswered, Event
from hub.ports import Batch, NewEvent, Recorded, Row
from hub.rows import AGR_LIMITS
from hub.values import Capability, Direction, Role


def _party(code: str) -> Identifier:
    """An EIC of these fifteen characters."""
    return Identifier(f"A01:{code}{eic.calc_check_digit(code)}")


BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
DSOS: Final = tuple(_party(f"45X-DSO-BENCH-{number}") for number in range(2))
AGRS: Final = tuple(_party(f"45X-AGR-BENCH{number:02}") for number in range(20))
ASSETS_EACH: Final = 100
PLANS_EACH: Final = 10
"""Assets planned in one document."""
STEPS: Final = 96
"""Values of a plan, one for each quarter of an hour."""
LIMIT_EVERY: Final = 40
"""Documents of plans for each limit."""
BATCH: Final = 2000


def batches(brain: HubBrain, events: int) -> Iterator[Batch]:
    """A history of at least so many events, decided and projected by this brain, in batches as a desk would write."""
    versions: dict[str, int] = {}
    new: list[NewEvent] = []
    rows: list[tuple[int, Row]] = []
    position, at, planned = 0, BEGIN, BEGIN
    for command in said(rows):
        planned = command.interval.start if isinstance(command, SubmitSchedules) else planned
        for event in taken(brain.decide(command, at)):
            position += 1
            recorded = Recorded(event, position, at, "bench")
            rows.extend((position, row) for row in brain.rows(recorded))
            brain.evolve(recorded)
            stream, (topic, state) = brain.stream_of(event), brain.encode(event)
            versions[stream] = versions.get(stream, 0) + 1
            new.append(NewEvent(stream=stream, version=versions[stream], topic=topic, state=state, cause="bench"))
        if len(new) >= BATCH or position >= events:
            yield Batch(after=position - len(new), at=at, events=tuple(new), rows=tuple(rows))
            new, rows[:] = [], []
            at = max(at, planned - timedelta(hours=12))
        if position >= events:
            return


def said(rows: Sequence[tuple[int, Row]] = ()) -> Iterator[Command]:
    """What everybody says, without end; gateways acknowledge the limits among the newest `rows`."""
    numbers = count(1)
    yield from (_joined(dso, Role.DSO) for dso in DSOS)
    yield from (_joined(agr, Role.AGR) for agr in AGRS)
    for place, dso in enumerate(DSOS):
        claimed = tuple(PointItem(point=_point(agr, place), owner=dso) for agr in range(len(AGRS)))
        yield RegisterPoints(origin=_origin(dso, "A50", next(numbers)), items=claimed)
    for agr in range(len(AGRS)):
        yield RegisterResources(origin=_origin(AGRS[agr], "A27", next(numbers)), items=_resources(agr))
    while True:
        number = next(numbers)
        yield plans(number)
        if number % LIMIT_EVERY == 0:
            yield _limit(number)
            for _, row in [each for each in rows if each[1].view == AGR_LIMITS][-len(AGRS) :]:
                yield _noted(row.audience, row.key, next(numbers))


def _joined(participant: Identifier, role: Role) -> Command:
    return AddParticipant(participant=participant, role=role, name=code_of(participant), by="bench")


def _origin(sender: Identifier, role: str, number: int, process: str | None = None) -> Origin:
    return Origin(
        sender=sender,
        role=role,
        mrid=f"document{number:024d}",
        revision=1,
        type="A95",
        process=process,
        created=BEGIN + timedelta(seconds=number),
        digest=f"{number:064x}",
    )


def _point(agr: int, dso: int) -> Identifier:
    return Identifier(f"NDK:POINT-{dso}-{agr:02}")


def _asset(agr: int, number: int) -> Identifier:
    return Identifier(f"NDK:ASSET-{agr:02}-{number:03}")


def _resources(agr: int) -> tuple[ResourceItem, ...]:
    return tuple(
        ResourceItem(
            resource=_asset(agr, number),
            point=_point(agr, number % len(DSOS)),
            owner=AGRS[agr],
            capability=Capability(1_000_000, 500_000),
        )
        for number in range(ASSETS_EACH)
    )


def _day(number: int) -> Interval:
    """The day a document is about: a new one for each round of documents."""
    start = BEGIN + timedelta(days=1 + number // (len(AGRS) * ASSETS_EACH // PLANS_EACH))
    return Interval(start, start + timedelta(days=1))


def taken(events: Sequence[Event]) -> Sequence[Event]:
    """The events, as long as the hub refuses nothing: what it refuses costs it little. Raises RuntimeError."""
    for event in events:
        if isinstance(event, DocumentAnswered) and event.verdict != ReasonCode.FULLY_ACCEPTED:
            raise RuntimeError(f"The hub refuses a made-up document: {event}")
    return events


def first_about(at: datetime) -> int:
    """The number of the first document about the day that begins after an instant."""
    return (at - BEGIN).days * (len(AGRS) * ASSETS_EACH // PLANS_EACH)


def plans(number: int) -> Command:
    """An aggregator's document with the plans of ten assets for a day."""
    agr, group = number % len(AGRS), number // len(AGRS) % (ASSETS_EACH // PLANS_EACH)
    day = _day(number)
    items = tuple(
        ScheduleItem(
            series=f"series-{one}",
            resource=_asset(agr, group * PLANS_EACH + one),
            periods=(Period(day, "PT15M", tuple(Point(step, number + one * step) for step in range(1, STEPS + 1))),),
        )
        for one in range(PLANS_EACH)
    )
    return SubmitSchedules(origin=_origin(AGRS[agr], "A27", number), interval=day, items=items)


def _limit(number: int) -> Command:
    """On five assets of four operators each."""
    day, dso = _day(number), number // LIMIT_EVERY % len(DSOS)
    assets = tuple(
        _asset((number + agr) % len(AGRS), (number + 2 * one) % ASSETS_EACH // 2 * 2 + dso)
        for agr in range(4)
        for one in range(5)
    )
    period = Period(day, "PT60M", (Point(1, 5_000_000),))
    return AnnounceLimit(
        origin=_origin(DSOS[dso], "A50", number),
        direction=Direction.PRODUCTION,
        interval=day,
        series=(ForeseenSeries(series="1", assets=assets, periods=(period,)),),
        reasons=(Reason("B19", "works"),),
    )


def _noted(participant: Identifier, document: str, number: int) -> Command:
    origin = _origin(participant, "A27", number)
    return NoteAcknowledgement(origin=origin, answered=document, revision=1, verdict=ReasonCode.FULLY_ACCEPTED.value)
