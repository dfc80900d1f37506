"""A hub's core alone, driven as the desk drives it, with words for what participants do. No store, no documents, no
clock.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import msgspec

from documents.identifiers import code_of
from documents.values import Identifier, Instant, Interval, Period, Point, Reason
from hub.brain import PROJECTIONS, BrainSettings, HubBrain, Projection
from hub.commands import (
    AddParticipant,
    AnnounceLimit,
    AskStatus,
    CancelLimit,
    Command,
    ForeseenSeries,
    NoteAcknowledgement,
    OrderLimit,
    Origin,
    PointItem,
    ReassignPoint,
    ReassignResource,
    RegisterPoints,
    RegisterResources,
    ResourceItem,
    ScheduleItem,
    SubmitSchedules,
    UnforeseenSeries,
)
from hub.events import DocumentAnswered, Event
from hub.ports import Recorded, Row
from hub.rows import AGR_LIMITS, AgrLimit
from hub.values import Action, Capability, Direction, LimitKind, Role

HUB: Final = Identifier("A01:45X-TPS-HUB-DEM8")
NORTH, SOUTH = Identifier("A10:5790000000005"), Identifier("A10:5790000000012")
ALPHA, BRAVO = Identifier("A01:45X-AGR-ALPHA--N"), Identifier("A01:45X-AGR-BRAVO--B")
CHARLIE = Identifier("A01:45X-BRP-CHARLIEG")
CAST: Final = {NORTH: Role.DSO, SOUTH: Role.DSO, ALPHA: Role.AGR, BRAVO: Role.AGR, CHARLIE: Role.BRP}
ROLE_CODE: Final = {Role.DSO: "A50", Role.AGR: "A27", Role.BRP: "A08"}

NOON: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
QUARTER: Final = timedelta(minutes=15)
SECRET: Final = b"a secret for tests, nothing more"


def span(start_h: float = 1, end_h: float = 3, *, base: Instant = NOON) -> Interval:
    """Hours from noon."""
    return Interval(base + timedelta(hours=start_h), base + timedelta(hours=end_h))


def flat(watts: int, interval: Interval | None = None) -> tuple[Period, ...]:
    """One value all the time."""
    return (Period(interval or span(), "PT15M", (Point(1, watts),)),)


def curve(*watts: int, interval: Interval | None = None) -> tuple[Period, ...]:
    """One value per quarter of an hour, the last one lasting."""
    return (Period(interval or span(), "PT15M", tuple(Point(i, w) for i, w in enumerate(watts, 1))),)


def digest_of(command: Any) -> str:  # any struct
    """Stands for the SHA-256 of the document."""
    return hashlib.sha256(msgspec.json.encode(command)).hexdigest()


class World:
    """A hub and everything it has said. `rows` holds every row in order, `log` every event."""

    def __init__(
        self, cast: Mapping[Identifier, Role] = CAST, *, projections: Sequence[Projection] = PROJECTIONS
    ) -> None:
        self.brain = HubBrain(BrainSettings(HUB, SECRET), projections=projections)
        self.now = NOON
        self.log: list[Recorded[Event]] = []
        self.rows: list[Row] = []
        self._documents = count(1)
        self.roles = dict(cast)
        for participant, role in cast.items():
            self.do(
                AddParticipant(participant=participant, role=role, name=f"name of {code_of(participant)}", by="ops")
            )
        self.rows_at_start = len(self.rows)

    def do(self, command: Command) -> tuple[Event, ...]:
        """Decide, project and fold one command."""
        events = tuple(self.brain.decide(command, self.now))
        for event in events:
            self.take(Recorded(event, len(self.log) + 1, self.now, "test"))
        return events

    def take(self, recorded: Recorded[Event]) -> None:
        """Project and fold one event, through its stored form."""
        topic, state = self.brain.encode(recorded.event)
        assert self.brain.decode(topic, state) == recorded.event
        self.rows.extend(self.brain.rows(recorded))
        self.brain.evolve(recorded)
        self.log.append(recorded)

    # What has been said.

    def current(self, view: str, audience: Identifier) -> dict[str, Any]:
        """Key -> payload of what an audience has in a view now."""
        held: dict[str, Any] = {}
        for row in self.rows:
            if row.view == view and row.audience == audience:
                if row.payload is None:
                    held.pop(row.key, None)
                else:
                    held[row.key] = row.payload
        return held

    def feed(self, view: str, audience: Identifier) -> list[Row]:
        """Every row of an audience in a view."""
        return [row for row in self.rows if row.view == view and row.audience == audience]

    def copy(self, audience: Identifier) -> AgrLimit:
        """The only limit an AGR has."""
        (limit,) = self.current(AGR_LIMITS, audience).values()
        assert isinstance(limit, AgrLimit)
        return limit

    # Who sends what.

    def origin(
        self,
        sender: Identifier,
        mrid: str | None = None,
        revision: int = 0,
        *,
        content: object = None,
        created: Instant | None = None,
        process: str | None = None,
        role: str | None = "",
    ) -> Origin:
        """A document's header; every document made here is one second younger than the one before."""
        number = next(self._documents)
        own = self.roles.get(sender)
        return Origin(
            sender=sender,
            role=(ROLE_CODE[own] if own else "A27") if role == "" else role,
            mrid=mrid or f"document{number:024d}",
            revision=revision,
            type="A95",
            process=process,
            created=created or NOON - timedelta(days=1) + timedelta(seconds=number),
            digest=digest_of((sender, mrid, revision, repr(content))) if content is not None else f"{number:064x}",
        )

    def register(
        self,
        operator: Identifier,
        resource: str,
        at: str,
        *,
        produces: int = 0,
        consumes: int = 0,
        **header: Any,  # of `origin`
    ) -> tuple[Event, ...]:
        """An AGR registers one asset."""
        item = ResourceItem(
            resource=asset(resource), point=point(at), owner=operator, capability=Capability(produces, consumes)
        )
        return self.do(RegisterResources(origin=self.origin(operator, **header), items=(item,)))

    def unregister(self, operator: Identifier, resource: str, **header: Any) -> tuple[Event, ...]:
        """An AGR removes one asset."""
        item = ResourceItem(resource=asset(resource), owner=operator, remove=True)
        return self.do(RegisterResources(origin=self.origin(operator, **header), items=(item,)))

    def claim(self, dso: Identifier, *points: str, **header: Any) -> tuple[Event, ...]:
        """A DSO registers connection points."""
        items = tuple(PointItem(point=point(one), owner=dso) for one in points)
        return self.do(RegisterPoints(origin=self.origin(dso, **header), items=items))

    def unclaim(self, dso: Identifier, *points: str, **header: Any) -> tuple[Event, ...]:
        """A DSO removes connection points."""
        items = tuple(PointItem(point=point(one), owner=dso, remove=True) for one in points)
        return self.do(RegisterPoints(origin=self.origin(dso, **header), items=items))

    def announce(
        self,
        dso: Identifier,
        mrid: str,
        revision: int,
        on: Sequence[str] | Sequence[Sequence[str]],
        watts: int | tuple[Period, ...] = 1000,
        *,
        direction: Direction = Direction.PRODUCTION,
        interval: Interval | None = None,
        reasons: tuple[Reason, ...] = (Reason("B19", "cable works at the harbour"),),
        **header: Any,
    ) -> tuple[Event, ...]:
        """A DSO announces a foreseen limit: one series over all assets, or one per list of assets."""
        interval = interval or span()
        groups = [on] if on and isinstance(on[0], str) else on
        periods = flat(watts, interval) if isinstance(watts, int) else watts
        series = tuple(
            ForeseenSeries(series=f"s{index}", assets=tuple(asset(str(one)) for one in group), periods=periods)
            for index, group in enumerate(groups)
        )
        return self.do(
            AnnounceLimit(
                origin=self.origin(dso, mrid, revision, **header),
                direction=direction,
                interval=interval,
                series=series,
                reasons=reasons,
            )
        )

    def order(
        self,
        dso: Identifier,
        mrid: str,
        revision: int,
        actions: Iterable[tuple[str, Action | None]],
        *,
        direction: Direction = Direction.BOTH,
        interval: Interval | None = None,
        **header: Any,
    ) -> tuple[Event, ...]:
        """A DSO orders an unforeseen limit, one series per asset."""
        series = tuple(
            UnforeseenSeries(series=f"s{index}", assets=(asset(one),), action=action)
            for index, (one, action) in enumerate(actions)
        )
        return self.do(
            OrderLimit(
                origin=self.origin(dso, mrid, revision, **header),
                direction=direction,
                interval=interval or span(0, 2),
                series=series,
                reasons=(Reason("B18", "fire in the station"),),
            )
        )

    def cancel(
        self, dso: Identifier, mrid: str, revision: int, kind: LimitKind | None = None, **header: Any
    ) -> tuple[Event, ...]:
        """A DSO withdraws a limit."""
        return self.do(CancelLimit(origin=self.origin(dso, mrid, revision, **header), kind=kind))

    def plan(
        self,
        operator: Identifier,
        mrid: str,
        revision: int,
        plans: Mapping[str, int | tuple[Period, ...] | None],
        *,
        interval: Interval | None = None,
        **header: Any,
    ) -> tuple[Event, ...]:
        """An AGR sends schedules: watts, periods, or None to withdraw, by asset."""
        interval = interval or span()
        items = tuple(_plan_item(resource, plan, interval) for resource, plan in plans.items())
        return self.do(
            SubmitSchedules(origin=self.origin(operator, mrid, revision, **header), interval=interval, items=items)
        )

    def ask(self, asker: Identifier, subject: str, *resources: Identifier, **rest: Any) -> tuple[Event, ...]:
        """A participant asks for its data."""
        interval = rest.pop("interval", None)
        origin = self.origin(asker, **rest)
        return self.do(AskStatus(origin=origin, subject=subject, resources=resources, interval=interval))

    def acknowledge(
        self, participant: Identifier, answered: str, verdict: str = "A01", *, revision: int | None = None
    ) -> tuple[Event, ...]:
        """A gateway answers a push."""
        origin = self.origin(participant)
        return self.do(NoteAcknowledgement(origin=origin, answered=answered, revision=revision, verdict=verdict))

    def hand_over(self, resource: str, to: Identifier) -> tuple[Event, ...]:
        """The operator reassigns an asset."""
        return self.do(ReassignResource(resource=asset(resource), to=to, why="sold", by="ops"))

    def hand_over_point(self, one: str, to: Identifier) -> tuple[Event, ...]:
        """The operator reassigns a point."""
        return self.do(ReassignPoint(point=point(one), to=to, why="border moved", by="ops"))


def _plan_item(resource: str, plan: int | tuple[Period, ...] | None, interval: Interval) -> ScheduleItem:
    series = f"series of {resource}"
    if plan is None:
        return ScheduleItem(series=series, resource=asset(resource), withdraw=True)
    periods = flat(plan, interval) if isinstance(plan, int) else plan
    return ScheduleItem(series=series, resource=asset(resource), periods=periods)


def asset(name: str) -> Identifier:
    """An asset's id in a national scheme."""
    return Identifier(name if ":" in name else f"NDK:{name}")


point = asset


def verdict_of(events: Sequence[Event]) -> DocumentAnswered:
    """The answer among the events a document caused."""
    (answered,) = (event for event in events if isinstance(event, DocumentAnswered))
    return answered


def codes_of(events: Sequence[Event]) -> list[str]:
    """Verdict and every reason code of the answer, header first."""
    answered = verdict_of(events)
    series = [reason.code for rejected in answered.rejected for reason in rejected.reasons]
    return [answered.verdict, *(reason.code for reason in answered.reasons), *series]


def texts_of(events: Sequence[Event]) -> str:
    """Everything the answer says in words."""
    return repr(verdict_of(events).reasons) + repr(verdict_of(events).rejected)


def watts_of(limit: AgrLimit) -> dict[str, int]:
    """Asset -> watts at the start of a foreseen copy."""
    return {code_of(part.resource): part.periods[0].points[0].quantity for part in limit.shares}
