"""The answers of the operator's pages, made from a snapshot and its picture (floor 7; F3). No I/O."""

from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from operator import sub
from typing import Final

from msgspec.structs import asdict, replace

from documents.identifiers import code_of
from documents.values import Identifier, Instant, Interval, Power
from hub.implications import (
    NONE,
    QUARTER,
    SIDES,
    Board,
    Finding,
    Plan,
    bounds_of_started,
    findings,
)
from hub.rows import (
    ALARMS,
    LIMIT_CONTENTS,
    OPERATOR_ASSETS,
    OPERATOR_POINTS,
    PARTICIPANTS,
    Alarm,
    LimitContent,
    OperatorAsset,
    OperatorPoint,
    Participant,
)
from hub.values import Direction
from hub.web.answers import (
    AgrPage,
    AlarmLine,
    AssetCounts,
    AssetLine,
    Assets,
    Curve,
    DsoPage,
    Implications,
    Layer,
    LimitLine,
    Overview,
    Person,
    PointLine,
    Points,
    Share,
)
from hub.web.effects import sides
from hub.web.picture import Picture, board_of, curve, limit_line, total
from hub.web.snapshot import Snapshot

LAYERS: Final = 11
"""Assets shown by themselves in one chart; the rest is one layer."""
LIMITS_AHEAD: Final = timedelta(days=14)
FINDINGS_AHEAD: Final = 12
SHOWN: Final = 500
FINDINGS_SHOWN: Final = 2_000
ALARMS_SHOWN: Final = 20
LIMITS_SHOWN: Final = 200


def overview(snapshot: Snapshot, picture: Picture, now: Instant) -> Overview:
    """What is happening, as far as rows tell: what waits and which documents came is not known here."""
    ahead = [one for one in picture.findings if one.interval.end > now and one.excess_w]
    production, consumption, excess = sums(picture)
    return Overview(
        as_of=now,
        people=people(snapshot),
        limits=limit_lines(snapshot, now, Interval(now, now + LIMITS_AHEAD)),
        assets=counts(snapshot, picture, now),
        waiting=None,
        findings=ahead[:FINDINGS_AHEAD],
        findings_in_all=len(ahead),
        documents=[],
        alarms=alarms(snapshot),
        production=production,
        consumption=consumption,
        excess=excess,
    )


def people(snapshot: Snapshot) -> list[Person]:
    """Everybody, by role and name."""
    found = [person(one) for one in snapshot.rows(PARTICIPANTS, Participant).values()]
    return sorted(found, key=lambda one: (one.role, one.name, one.id))


def person(one: Participant) -> Person:
    """A participant, to choose from."""
    return Person(
        id=one.participant,
        code=code_of(one.participant),
        name=one.name,
        role=one.role.value,
        suspended=one.suspended,
        brp=one.brp,
    )


def limit_lines(snapshot: Snapshot, now: Instant, window: Interval, dso: Identifier | None = None) -> list[LimitLine]:
    """Limits that meet a window, cancelled ones too: active first, then by time."""
    order = {"active": 0, "coming": 1, "ended": 2, "cancelled": 3}
    found = [
        line
        for key, content in snapshot.rows(LIMIT_CONTENTS, LimitContent).items()
        if content.interval.overlaps(window) and (dso is None or content.dso == dso)
        if (line := limit_line(snapshot, key, now))
    ]
    return sorted(found, key=lambda line: (order[line.state], line.interval, line.dso, line.mrid))[:LIMITS_SHOWN]


def counts(snapshot: Snapshot, picture: Picture, now: Instant) -> AssetCounts:
    """Assets by state at the moment."""
    assets = snapshot.rows(OPERATOR_ASSETS, OperatorAsset)
    slot = min(max((now - picture.board.grid.start) // QUARTER, 0), picture.board.grid.count - 1)
    moment = Interval(now, now + QUARTER)
    limited = {
        part.resource
        for limit in picture.limits.values()
        if limit.interval.overlaps(moment)
        for part in limit.parts
        if part.resource in assets
    }
    colliding = {asset for finding in picture.findings if finding.interval.end > now for asset in finding.assets}
    return AssetCounts(
        all=len(assets),
        on_grid=sum(one.dso is not None for one in assets.values()),
        planned=sum(plan.production[slot] != NONE for asset, plan in picture.board.plans.items() if asset in assets),
        limited=len(limited),
        colliding=len(colliding),
    )


def alarms(snapshot: Snapshot) -> list[AlarmLine]:
    """What needs eyes, newest first."""
    found = [
        AlarmLine(subject=held.payload.subject, text=held.payload.text, at=held.issued)
        for held in snapshot.held(ALARMS).values()
        if isinstance(held.payload, Alarm)
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)[:ALARMS_SHOWN]


def sums(picture: Picture) -> tuple[Curve, Curve, Curve]:
    """What is planned each way by everybody, and how far plans leave their limits."""
    board = picture.board
    count = board.grid.count
    excess = [0] * count
    for finding in picture.findings:
        for slot in board.grid.touched(finding.interval.start, finding.interval.end):
            excess[slot] = max(excess[slot], finding.excess_w)
    plans = board.plans.values()
    return (
        picture.curve(total(plans, Direction.PRODUCTION, count)),
        picture.curve(total(plans, Direction.CONSUMPTION, count)),
        [stretch for stretch in picture.curve(excess) if stretch[2]],
    )


def agr_page(snapshot: Snapshot, picture: Picture, agr: Participant, now: Instant, *, asset: str = "") -> AgrPage:
    """One AGR's plans against its part of each limit; of one `asset` only, where it is given."""
    assets = snapshot.rows(OPERATOR_ASSETS, OperatorAsset)
    mine = {Identifier(key) for key, one in assets.items() if one.operator == agr.participant}
    shown = mine & {Identifier(asset)} if asset else mine
    return AgrPage(
        as_of=now,
        person=person(agr),
        window=picture.window,
        layers=layers(picture.board, shown),
        shares=list(_shares(snapshot, picture, shown, now)),
        findings=_findings_of(picture, shown)[:FINDINGS_SHOWN],
        assets=_asset_lines(picture.board, sorted(mine)[:SHOWN]),
        assets_in_all=len(mine),
    )


def dso_page(snapshot: Snapshot, picture: Picture, dso: Participant, now: Instant) -> DsoPage:
    """One DSO's limits, and where plans do not fit under them."""
    assets, points = (snapshot.rows(OPERATOR_ASSETS, OperatorAsset), snapshot.rows(OPERATOR_POINTS, OperatorPoint))
    return DsoPage(
        as_of=now,
        person=person(dso),
        window=picture.window,
        limits=limit_lines(snapshot, now, picture.window, dso.participant),
        findings=[one for one in picture.findings if one.dso == dso.participant][:FINDINGS_SHOWN],
        assets_in_all=sum(one.dso == dso.participant for one in assets.values()),
        points=sum(one.dso == dso.participant for one in points.values()),
    )


def implications(picture: Picture, now: Instant) -> Implications:
    """Every finding of a window."""
    return Implications(
        as_of=now,
        window=picture.window,
        findings=list(picture.findings[:FINDINGS_SHOWN]),
        limits=len(picture.limits),
    )


def asset_page(snapshot: Snapshot, window: Interval, now: Instant, *, query: str, after: str, limit: int) -> Assets:
    """Assets whose id, point, operator or DSO holds the words of the query; `window` is where a plan is looked for."""
    names = {one.participant: one.name for one in snapshot.rows(PARTICIPANTS, Participant).values()}
    found = sorted(
        key
        for key, one in snapshot.rows(OPERATOR_ASSETS, OperatorAsset).items()
        if _holds(
            query,
            (key, one.point, *(text for who in (one.operator, one.dso) if who for text in (who, names.get(who, "")))),
        )
    )
    page = [Identifier(key) for key in found if key > after][:limit]
    more = page[-1] if page and page[-1] != found[-1] else None
    return Assets(
        as_of=now, assets=_asset_lines(board_of(snapshot, window, set(page)), page), found=len(found), after=more
    )


def point_page(snapshot: Snapshot, now: Instant, *, query: str, after: str, limit: int) -> Points:
    """Connection points whose id or DSO holds the words of the query."""
    names = {one.participant: one.name for one in snapshot.rows(PARTICIPANTS, Participant).values()}
    points = snapshot.rows(OPERATOR_POINTS, OperatorPoint)
    found = sorted(key for key, one in points.items() if _holds(query, (key, one.dso, names.get(one.dso, ""))))
    page = [key for key in found if key > after][:limit]
    hanging: dict[Identifier, int] = {}
    for one in snapshot.rows(OPERATOR_ASSETS, OperatorAsset).values():
        hanging[one.point] = hanging.get(one.point, 0) + 1
    lines = [
        PointLine(id=one.point, dso=one.dso, voltage=one.voltage, assets=hanging.get(one.point, 0))
        for one in map(points.__getitem__, page)
    ]
    return Points(as_of=now, points=lines, found=len(found), after=page[-1] if page and page[-1] != found[-1] else None)


def _findings_of(picture: Picture, shown: set[Identifier]) -> list[Finding]:
    """The findings of some assets alone: powers and energies are theirs."""
    own = [part for limit in picture.limits.values() if (part := _cut(limit, shown)).parts]
    return findings(own, picture.board)


def _holds(query: str, texts: Iterable[str]) -> bool:
    text = " ".join(texts).casefold()
    return all(word in text for word in query.casefold().split())


def layers(board: Board, shown: Collection[Identifier]) -> list[Layer]:
    """The plans of some assets, those that move most energy by themselves, the rest summed up."""
    energy = {asset: _energy(board.plans[asset]) for asset in sorted(shown) if asset in board.plans}
    by_energy = sorted(energy, key=energy.__getitem__, reverse=True)
    alone, rest = sorted(by_energy[:LAYERS]), by_energy[LAYERS:]
    found = [Layer(asset=asset, curve=curve(board.grid, _signed(board.plans[asset]))) for asset in alone]
    if rest:
        plans = [board.plans[asset] for asset in rest]
        up, down = (total(plans, side, board.grid.count) for side in SIDES[Direction.BOTH])
        found.append(Layer(asset="", curve=curve(board.grid, map(sub, up, down))))
    return found


def _energy(plan: Plan) -> int:
    """What moves in all, in quarters of a watt-hour; one less for each quarter-hour of a gap does not matter here."""
    return sum(plan.production) + sum(plan.consumption)


def _signed(plan: Plan) -> list[Power | None]:
    return [None if up == NONE else up - down for up, down in zip(plan.production, plan.consumption, strict=True)]


def _shares(snapshot: Snapshot, picture: Picture, shown: Collection[Identifier], now: Instant) -> Iterator[Share]:
    bounds = bounds_of_started(picture.limits.values(), picture.board)
    for key, limit in picture.limits.items():
        own, line = _cut(limit, shown), limit_line(snapshot, key, now)
        if line and own.parts:
            yield from (Share(limit=line, **asdict(one)) for one in sides(own, picture.board, bounds))


def _cut(limit: LimitContent, shown: Collection[Identifier]) -> LimitContent:
    """A limit with the parts of some assets only."""
    return replace(
        limit,
        shares=tuple(part for part in limit.shares if part.resource in shown),
        orders=tuple(part for part in limit.orders if part.resource in shown),
    )


def _asset_lines(board: Board, assets: Iterable[Identifier]) -> list[AssetLine]:
    lines = []
    for asset in assets:
        one = board.assets[asset]
        plan = board.plans.get(asset)
        lines.append(
            AssetLine(
                id=asset,
                operator=one.operator,
                point=one.point,
                dso=one.dso,
                max_production=one.capability.max_production,
                max_consumption=one.capability.max_consumption,
                planned=plan is not None and any(watts != NONE for watts in plan.production),
            )
        )
    return lines
