"""The implications of limits agree with an oracle that looks at every asset, every quarter-hour and every minute."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from documents.curves import steps
from documents.values import Identifier, Interval, Period, Point
from hub.implications import NONE, QUARTER, SIDES, Balance, Board, Kind, Ledger, balances, findings, findings_under
from hub.rows import LimitContent, OperatorAsset
from hub.values import Action, AssetOrder, AssetShare, Capability, Direction, LimitKind
from tests.hub_world import ALPHA, NORTH, SOUTH

START = datetime(2026, 10, 24, 22, tzinfo=UTC)
SPAN = Interval(START, START + timedelta(hours=3))
ASSETS = [Identifier(f"NDK:a{number}") for number in range(4)]
MINUTES = st.integers(-40, 220)
WATTS = st.integers(0, 60)


@st.composite
def spans(draw: st.DrawFn) -> Interval:
    first, length = draw(MINUTES), draw(st.integers(1, 12))
    start = START + timedelta(minutes=first)
    return Interval(start, start + timedelta(minutes=15 * length))


@st.composite
def curves(draw: st.DrawFn, low: int) -> tuple[Period, ...]:
    """Two Periods at most, that do not overlap; steps of 5, 15 or 60 minutes at any minute."""
    start, found = START + timedelta(minutes=draw(MINUTES)), []
    for _ in range(draw(st.integers(0, 2))):
        minutes, watts = (
            draw(st.sampled_from([5, 15, 60])),
            draw(st.lists(st.integers(low, 60), min_size=1, max_size=5)),
        )
        end = start + timedelta(minutes=minutes * len(watts))
        points = tuple(Point(position, value) for position, value in enumerate(watts, 1))
        found.append(Period(Interval(start, end), f"PT{minutes}M", points))
        start = end + timedelta(minutes=draw(st.integers(0, 30)))
    return tuple(found)


@st.composite
def limits(draw: st.DrawFn) -> LimitContent:
    named = draw(st.lists(st.sampled_from(ASSETS), min_size=1, unique=True).map(sorted))
    kind = draw(st.sampled_from(LimitKind))
    shares = tuple(AssetShare(one, 60, draw(curves(0))) for one in named) if kind is LimitKind.FORESEEN else ()
    orders = () if shares else tuple(AssetOrder(one, draw(st.sampled_from(Action))) for one in named)
    return LimitContent(
        dso=draw(st.sampled_from([NORTH, SOUTH])),
        mrid=draw(st.text("abc", min_size=1, max_size=3)),
        revision=1,
        kind=kind,
        direction=draw(st.sampled_from(Direction)),
        interval=draw(spans()),
        shares=shares,
        orders=orders,
    )


@st.composite
def boards(draw: st.DrawFn) -> Board:
    assets = {
        one: OperatorAsset(
            resource=one,
            operator=ALPHA,
            point=Identifier("NDK:p"),
            dso=draw(st.sampled_from([NORTH, SOUTH, None])),
            capability=Capability(draw(WATTS), draw(WATTS)),
        )
        for one in draw(st.lists(st.sampled_from(ASSETS), unique=True))
    }
    return Board.of(
        SPAN, assets, {one: draw(curves(-60)) for one in draw(st.lists(st.sampled_from(ASSETS), unique=True))}
    )


def values(periods: Sequence[Period], quarter: datetime) -> list[int]:
    """Every value a curve has in a quarter-hour, minute by minute."""
    minutes = [quarter + timedelta(minutes=number) for number in range(15)]
    return [w for minute in minutes for period in periods for a, b, w in steps(period) if a <= minute < b]


def planned(board: Board, one: Identifier, side: Direction, quarter: datetime) -> int | None:
    sign = 1 if side is Direction.PRODUCTION else -1
    found = [max(sign * watts, 0) for watts in values(board.curves.get(one, ()), quarter)]
    return max(found) if found else None


def quarter_of(instant: datetime) -> datetime:
    return datetime.fromtimestamp(instant.timestamp() // 900 * 900, UTC)


def bound(limit: LimitContent, one: Identifier, side: Direction, quarter: datetime, board: Board) -> int | None:
    """What a limit other than a START leaves to an asset in a quarter-hour; None: it says nothing."""
    asset = board.assets.get(one)
    rated = asset.capability.rated(side) if asset and asset.dso == limit.dso and side in SIDES[limit.direction] else 0
    if not rated:
        return None
    for share in limit.shares:
        if share.resource == one:
            return min(values(share.periods, quarter), default=None)
    touches = limit.interval.start < quarter + QUARTER and quarter < limit.interval.end
    for order in limit.orders:
        if order.resource == one and touches and order.action is Action.STOP:
            return 0
        if order.resource == one and touches and order.action is Action.HOLD:
            held = planned(board, one, side, quarter_of(limit.interval.start))
            return rated if held is None else held
    return None


def judged(  # noqa: PLR0917 # everything that it depends on
    limit: LimitContent,
    all_limits: Sequence[LimitContent],
    one: Identifier,
    side: Direction,
    quarter: datetime,
    board: Board,
) -> tuple[int, int, int, int] | None:
    """(allowed, scheduled, excess, margin) of one asset in one quarter-hour; None: the limit says nothing of it."""
    plan = planned(board, one, side, quarter)
    actions = {order.resource: order.action for order in limit.orders}
    asset = board.assets.get(one)
    if asset is None or asset.dso != limit.dso or not asset.capability.rated(side):
        return None
    rated = asset.capability.rated(side)
    if actions.get(one) is Action.START:
        if not (limit.interval.start < quarter + QUARTER and quarter < limit.interval.end):
            return None
        others = [bound(other, one, side, quarter, board) for other in all_limits]
        allowed = min([rated, *(watts for watts in others if watts is not None)])
        return allowed, plan or 0, allowed if plan == 0 else 0, min(allowed, rated) if plan is None else 0
    most = bound(limit, one, side, quarter, board)
    if most is None:
        return None
    margin = min(most, rated) if plan is None else 0
    if actions.get(one) is Action.HOLD:
        known = planned(board, one, side, quarter_of(limit.interval.start)) is not None
        return most, plan or 0, abs(plan - most) if plan is not None and known else 0, margin
    return most, plan or 0, max((plan or 0) - most, 0), margin


def oracle(limit: LimitContent, all_limits: Sequence[LimitContent], side: Direction, board: Board) -> Balance:
    columns = []
    for number in range(board.grid.count):
        quarter = board.grid.start + number * QUARTER
        named = {share.resource for share in limit.shares} | {order.resource for order in limit.orders}
        cells = [cell for one in named if (cell := judged(limit, all_limits, one, side, quarter, board))]
        columns.append(tuple(map(sum, zip(*cells, strict=True))) if cells else (NONE, 0, 0, 0))
    allowed, scheduled, excess, margin = (list(row) for row in zip(*columns, strict=True))
    return Balance(side, allowed, scheduled, excess, margin)


@given(st.lists(limits(), max_size=3), boards())
def test_every_quarter_hour_is_as_the_oracle_says(all_limits: list[LimitContent], board: Board) -> None:
    for limit in all_limits:
        expected = [oracle(limit, all_limits, side, board) for side in SIDES[limit.direction]]
        assert balances(limit, all_limits, board) == expected


@given(st.lists(limits(), max_size=3, unique_by=lambda one: (one.dso, one.mrid)), boards())
def test_findings_hold_all_excess_and_all_margin_of_quarter_hours_without(
    all_limits: list[LimitContent], board: Board
) -> None:
    found = findings(all_limits, board)

    for limit in all_limits:
        for balance in balances(limit, all_limits, board):
            mine = [one for one in found if (one.dso, one.mrid, one.side) == (limit.dso, limit.mrid, balance.side)]
            assert sum(one.excess_wh for one in mine) == sum(balance.excess) / 4
            for number, (excess, margin) in enumerate(zip(balance.excess, balance.margin, strict=True)):
                quarter = board.grid.interval(number, number + 1)
                here = [one for one in mine if one.interval.overlaps(quarter)]
                assert any(one.kind is not Kind.UNPLANNED for one in here) == (excess > 0)
                assert bool(here) == (excess > 0 or margin > 0)


@given(st.lists(limits(), max_size=3, unique_by=lambda one: (one.dso, one.mrid)), boards())
def test_nothing_depends_on_the_order_of_limits(all_limits: list[LimitContent], board: Board) -> None:
    assert findings(all_limits[::-1], board) == findings(all_limits, board)


@given(st.lists(limits(), max_size=3, unique_by=lambda one: (one.dso, one.mrid)), boards())
def test_one_limit_judged_alone_is_as_among_all(all_limits: list[LimitContent], board: Board) -> None:
    found = findings(all_limits, board)

    for limit in all_limits:
        mine = [one for one in found if (one.dso, one.mrid) == (limit.dso, limit.mrid)]
        assert findings_under(limit, all_limits, board) == mine


@given(
    st.lists(
        st.tuples(st.lists(limits(), max_size=3, unique_by=lambda one: (one.dso, one.mrid)), boards()),
        min_size=2,
        max_size=4,
    )
)
def test_a_ledger_that_follows_changes_says_what_judging_anew_says(
    turns: list[tuple[list[LimitContent], Board]],
) -> None:
    ledger = Ledger()

    for said, board in turns:
        followed = ledger.judge({f"{one.dso}/{one.mrid}": one for one in said}, board, ASSETS)
        assert followed == findings(said, board)


@given(st.lists(limits(), min_size=1, max_size=3, unique_by=lambda one: (one.dso, one.mrid)), boards(), boards())
def test_a_ledger_looks_again_at_the_assets_that_moved_alone(
    said: list[LimitContent], before: Board, after: Board
) -> None:
    held, ledger = {f"{one.dso}/{one.mrid}": one for one in said}, Ledger()
    ledger.judge(held, before)
    moved, *others = ASSETS
    mixed = Board(
        before.grid,
        _of(before.assets, others) | _of(after.assets, [moved]),
        _of(before.curves, others) | _of(after.curves, [moved]),
        _of(before.plans, others) | _of(after.plans, [moved]),
    )

    assert ledger.judge(held, mixed, [moved]) == findings(said, mixed)


V = TypeVar("V")


def _of(rows: Mapping[Identifier, V], assets: Sequence[Identifier]) -> dict[Identifier, V]:
    return {asset: rows[asset] for asset in assets if asset in rows}
