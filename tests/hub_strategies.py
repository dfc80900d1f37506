"""Random histories of a hub: who does what, with small pools so that things meet. Every name carries its owner's word.

A step is plain data, so that hypothesis can shrink it and one history can be played in two worlds. A document's name,
age and content follow from the step's place in the history alone: leaving out others' steps changes nothing of what
remains.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hypothesis import strategies as st
from stdnum.eu import eic

from documents.values import Identifier, Interval, Period, Point, Reason
from hub.brain import PROJECTIONS, Projection
from hub.commands import (
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
    ResumeParticipant,
    ScheduleItem,
    SubmitSchedules,
    SuspendParticipant,
    UnforeseenSeries,
)
from hub.errors import Rejected
from hub.rows import AGR_LIMITS
from hub.values import Action, Capability, Direction, Role
from tests.canary import Canary
from tests.hub_world import NOON, ROLE_CODE, World, digest_of


def _eic(name: str) -> Identifier:
    stem = f"45X-{name}".ljust(15, "-")
    return Identifier(f"A01:{stem}{eic.calc_check_digit(stem)}")


WORDS: Final = {
    _eic("DSO-NORTH"): "NORTH",
    _eic("DSO-SOUTH"): "SOUTH",
    _eic("AGR-ALPHA"): "ALPHA",
    _eic("AGR-BRAVO"): "BRAVO",
    _eic("BRP-CHARLI"): "CHARLI",
}
NORTH, SOUTH, ALPHA, BRAVO, CHARLIE = WORDS
CAST: Final = {NORTH: Role.DSO, SOUTH: Role.DSO, ALPHA: Role.AGR, BRAVO: Role.AGR, CHARLIE: Role.BRP}
DSOS: Final = (NORTH, SOUTH)
OPERATORS: Final = (ALPHA, BRAVO, CHARLIE)


def assets_of(operator: Identifier) -> tuple[Identifier, ...]:
    """The assets an operator registers when it minds its own business."""
    return tuple(Identifier(f"NDK:asset-{WORDS[operator]}-{number}") for number in (1, 2, 3))


def points_of(dso: Identifier) -> tuple[Identifier, ...]:
    """The points a DSO claims when it minds its own business."""
    return tuple(Identifier(f"NDK:point-{WORDS[dso]}-{number}") for number in (1, 2))


ASSETS: Final = tuple(asset for operator in OPERATORS for asset in assets_of(operator))
POINTS: Final = tuple(point for dso in DSOS for point in points_of(dso))
LIFT: Final = (0, 1, 40, 333, 1000)
NOWHERE: Final = Identifier("NDK:nowhere")
PLATFORM: Final = Identifier("operator")
WHEN: Final[dict[str, st.SearchStrategy[int]]] = {
    "number": st.integers(1, 3),
    "start_h": st.integers(-2, 5),
    "length_h": st.integers(0, 5),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing somebody does. Which fields count depends on the verb."""

    verb: str
    who: Identifier
    assets: tuple[Identifier, ...] = ()
    points: tuple[Identifier, ...] = ()
    number: int = 0
    watts: tuple[int, ...] = (0, 0)
    start_h: int = 0
    length_h: int = 1
    direction: Direction = Direction.BOTH
    action: Action = Action.STOP
    to: Identifier | None = None


def natural_assets(dso: Identifier) -> tuple[Identifier, ...]:
    """The assets that `setting` puts on a DSO's points."""
    return tuple(
        asset
        for operator in OPERATORS
        for number, asset in enumerate(assets_of(operator))
        if POINTS[number] in points_of(dso)
    )


def steps(
    *,
    operators: Sequence[Identifier] = OPERATORS,
    dsos: Sequence[Identifier] = DSOS,
    limited: Sequence[Identifier] = ASSETS,
    own_only: bool = False,
) -> st.SearchStrategy[Step]:
    """One step by one of these; limits name only `limited` assets.

    Most steps make sense, so that histories get somewhere; some do not. With `own_only` nobody touches what is
    another's, and the operator of the platform hands nothing over.
    """
    choices = [_by_operator_of_assets(who, own_only=own_only) for who in operators]
    choices += [_by_dso(who, limited, own_only=own_only) for who in dsos]
    choices.append(st.builds(Step, st.just("wait"), st.just(PLATFORM), length_h=st.integers(0, 2)))
    if not own_only:
        choices.append(_by_platform(operators, dsos))
    return st.one_of(choices)


def _some(pool: Sequence[Identifier], most: int) -> st.SearchStrategy[tuple[Identifier, ...]]:
    return st.lists(st.sampled_from(pool), min_size=1, max_size=most, unique=True).map(tuple)


def _by_operator_of_assets(who: Identifier, *, own_only: bool) -> st.SearchStrategy[Step]:
    own = assets_of(who)
    pool = own if own_only else own * 4 + ASSETS
    watts = st.lists(st.sampled_from(LIFT), min_size=2, max_size=2).map(tuple)
    planned = st.lists(st.sampled_from((0, 1, 40, 40, -40, 1000)), min_size=1, max_size=3).map(tuple)
    somewhere = st.sampled_from((*POINTS, NOWHERE)).map(lambda point: (point,))
    return st.one_of(
        st.builds(Step, st.just("register"), st.just(who), _some(pool, 2), somewhere, watts=watts),
        st.builds(Step, st.just("plan"), st.just(who), _some(pool, 2), watts=planned, **WHEN),
        st.builds(Step, st.sampled_from(("unregister", "withdraw")), st.just(who), _some(pool, 2), **WHEN),
        st.builds(Step, st.sampled_from(("ask limits", "collect")), st.just(who)),
    )


def _by_dso(who: Identifier, limited: Sequence[Identifier], *, own_only: bool) -> st.SearchStrategy[Step]:
    points = points_of(who) if own_only else points_of(who) * 3 + POINTS
    natural = tuple(asset for asset in natural_assets(who) if asset in limited)
    assets = _some(natural * 8 + tuple(limited), 3)
    watts = st.lists(st.sampled_from(LIFT), min_size=1, max_size=4).map(tuple)
    limit = {"direction": st.sampled_from(Direction), "action": st.sampled_from(Action)} | WHEN
    return st.one_of(
        st.builds(Step, st.just("announce"), st.just(who), assets, watts=watts, **limit),
        st.builds(Step, st.just("order"), st.just(who), assets, **limit),
        st.builds(Step, st.sampled_from(("claim", "unclaim")), st.just(who), points=_some(points, 2)),
        st.builds(Step, st.sampled_from(("cancel", "ask assets", "ask schedules")), st.just(who), **WHEN),
    )


def _by_platform(operators: Sequence[Identifier], dsos: Sequence[Identifier]) -> st.SearchStrategy[Step]:
    asset, point = (st.sampled_from(pool).map(lambda one: (one,)) for pool in (ASSETS, POINTS))
    by = st.just(PLATFORM)
    return st.one_of(
        st.builds(Step, st.just("hand over"), by, asset, to=st.sampled_from(operators)),
        st.builds(Step, st.just("hand over point"), by, points=point, to=st.sampled_from(dsos)),
        st.builds(Step, st.sampled_from(("suspend", "resume", "resume")), by, to=st.sampled_from(OPERATORS)),
    )


def setting(*operators: Identifier) -> list[Step]:
    """A grid to begin with: all points claimed, every operator's assets registered, so that limits meet something."""
    claims = [Step("claim", dso, points=points_of(dso)) for dso in DSOS]
    registrations = [
        Step("register", operator, (asset,), (POINTS[number % len(POINTS)],), watts=(1000 - 333 * number, 333 * number))
        for operator in operators
        for number, asset in enumerate(assets_of(operator))
    ]
    return claims + registrations


def histories(*, min_size: int = 10, max_size: int = 30) -> st.SearchStrategy[list[Step]]:
    """Anything may happen, by anybody, on a grid that is in use."""
    return st.lists(steps(), min_size=min_size, max_size=max_size).map(_on_a_grid_in_use)


def _on_a_grid_in_use(rest: list[Step]) -> list[Step]:
    return setting(*OPERATORS) + rest


class Player:
    """Plays steps in a world and, where a canary watches, tells it what everybody may know."""

    def __init__(self, canary: Canary | None = None, *, projections: Sequence[Projection] = PROJECTIONS) -> None:
        self.world = World(CAST, projections=projections)
        self.canary = canary
        self.said: list[Command] = []

    def play(self, history: Sequence[Step], *, only: frozenset[Identifier] | None = None) -> World:
        """Play what `only` these do (all when None). A step's document depends on its place in the history alone."""
        for place, step in enumerate(history):
            if only is None or step.who in only:
                self.step(place, step)
        return self.world

    def step(self, place: int, step: Step) -> None:
        """Play one step; what the operator cannot do is simply refused."""
        if step.verb == "wait":
            self.world.now += timedelta(hours=step.length_h)
            return
        command = self.command(place, step)
        if command is None:
            return
        self.said.append(command)
        if self.canary and step.to is None:
            self.canary.has_said(step.who, command)
        try:
            self.world.do(command)
        except Rejected:
            return
        self._learn()

    def command(self, place: int, step: Step) -> Command | None:
        """The document or the operator's command a step stands for."""
        match step.verb:
            case "register" | "unregister":
                return RegisterResources(origin=self._origin(place, step), items=_resources(step))
            case "plan" | "withdraw":
                return SubmitSchedules(
                    origin=self._origin(place, step, f"plan-{WORDS[step.who]}-{step.number}", place + 1),
                    interval=_interval(step),
                    items=_plans(step),
                )
            case "claim" | "unclaim":
                remove = step.verb == "unclaim"
                items = tuple(PointItem(point=point, owner=step.who, remove=remove) for point in step.points)
                return RegisterPoints(origin=self._origin(place, step), items=items)
            case "announce" | "order" | "cancel":
                return self._limit(place, step)
            case "ask assets" | "ask schedules" | "ask limits":
                subject = {"assets": "A95", "schedules": "A67", "limits": "A53"}[step.verb.split()[1]]
                return AskStatus(origin=self._origin(place, step), subject=subject)
            case "collect":
                return self._collect(place, step)
            case _:
                return _by_operator(step)

    def _limit(self, place: int, step: Step) -> Command:
        word, interval = WORDS[step.who], _interval(step)
        origin = self._origin(place, step, f"{_kind(step)}-{word}-{step.number}", place + 1)
        reasons = (Reason("B19", f"text of {word}"),)
        if step.verb == "cancel":
            return CancelLimit(origin=origin)
        if step.verb == "order":
            orders = tuple(
                UnforeseenSeries(series=f"series-{word}-{number}", assets=(asset,), action=step.action)
                for number, asset in enumerate(step.assets)
            )
            return OrderLimit(
                origin=origin, direction=step.direction, interval=interval, series=orders, reasons=reasons
            )
        shared = ForeseenSeries(series=f"series-{word}", assets=step.assets, periods=_periods(step))
        return AnnounceLimit(
            origin=origin, direction=step.direction, interval=interval, series=(shared,), reasons=reasons
        )

    def _collect(self, place: int, step: Step) -> Command | None:
        copies = sorted(self.world.current(AGR_LIMITS, step.who))
        if not copies:
            return None
        return NoteAcknowledgement(origin=self._origin(place, step), answered=copies[0], verdict="A01")

    def _origin(self, place: int, step: Step, mrid: str | None = None, revision: int = 0) -> Origin:
        return Origin(
            sender=step.who,
            role=ROLE_CODE[CAST[step.who]],
            mrid=mrid or f"document-{WORDS[step.who]}-{place}",
            revision=revision,
            type="A95",
            created=NOON + timedelta(seconds=place),
            digest=digest_of((place, repr(step))),
        )

    def _learn(self) -> None:
        """A DSO may know its points and the assets on its grid, an operator its assets and their points."""
        if self.canary is None:
            return
        contents = self.world.brain.contents()
        for dso, assets in contents["grid"].items():
            self.canary.may_know(dso, *assets)
        for point, claimed in contents["points"].items():
            self.canary.may_know(claimed.dso, point)
        for asset, held in contents["resources"].items():
            self.canary.may_know(held.operator, asset, held.point)


def _kind(step: Step) -> str:
    """Orders and foreseen limits mostly keep apart; a cancel may mean either."""
    return "order" if step.verb == "order" or (step.verb == "cancel" and step.start_h > 1) else "limit"


def _interval(step: Step) -> Interval:
    start = NOON + timedelta(hours=step.start_h)
    return Interval(start, start + timedelta(hours=step.length_h))


def _periods(step: Step) -> tuple[Period, ...]:
    points = tuple(Point(position, watts) for position, watts in enumerate(step.watts, 1))
    return (Period(_interval(step), "PT15M", points),)


def _resources(step: Step) -> tuple[ResourceItem, ...]:
    if step.verb == "unregister":
        return tuple(ResourceItem(resource=asset, owner=step.who, remove=True) for asset in step.assets)
    capability = Capability(abs(step.watts[0]), abs(step.watts[-1]))
    return tuple(
        ResourceItem(resource=asset, point=step.points[0], owner=step.who, capability=capability)
        for asset in step.assets
    )


def _plans(step: Step) -> tuple[ScheduleItem, ...]:
    return tuple(
        ScheduleItem(
            series=f"series-{WORDS[step.who]}-{number}",
            resource=asset,
            periods=() if step.verb == "withdraw" else _periods(step),
            withdraw=step.verb == "withdraw",
        )
        for number, asset in enumerate(step.assets)
    )


def _by_operator(step: Step) -> Command:
    assert step.to is not None, "the operator's steps say about whom"
    match step.verb:
        case "hand over":
            return ReassignResource(resource=step.assets[0], to=step.to, why="sold", by="ops")
        case "hand over point":
            return ReassignPoint(point=step.points[0], to=step.to, why="border moved", by="ops")
        case "suspend":
            return SuspendParticipant(participant=step.to, why="unpaid", by="ops")
        case _:
            return ResumeParticipant(participant=step.to, why="paid", by="ops")
