"""What a limit does, or would do: its sums against the plans, and each asset's part (floor 7; F3). No I/O."""

from typing import Final

from documents.values import Identifier, Instant, Interval
from hub.implications import (
    NONE,
    SIDES,
    Board,
    Bounds,
    Grid,
    Slots,
    balance_of,
    bounds_of_started,
    findings_under,
    least,
    part_of,
    parts_under,
)
from hub.rows import OPERATOR_ASSETS, LimitContent, OperatorAsset
from hub.values import AssetOrder, AssetShare
from hub.web.answers import Curve, LimitLine, LimitPage, PartLine, Side, Tried
from hub.web.picture import board_of, bound_curve, holding, line_of
from hub.web.snapshot import Snapshot

PARTS_SHOWN: Final = 500


def limit_page(snapshot: Snapshot, line: LimitLine, content: LimitContent, window: Interval, now: Instant) -> LimitPage:
    """One limit: what it says, and what it does in a window. Who has a copy is not known here."""
    board, limits = _board_under(snapshot, content, window), holding(snapshot, window)
    bounds = bounds_of_started(limits.values(), board)
    holds = f"{content.dso}/{content.mrid}" in limits
    return LimitPage(
        as_of=now,
        limit=line,
        window=window,
        reasons=content.reasons,
        totals=totals(content, board.grid),
        sides=sides(content, board, bounds),
        parts=part_lines(content, board, bounds),
        copies=[],
        findings=findings_under(content, limits.values(), board) if holds else [],
    )


def tried(snapshot: Snapshot, content: LimitContent, window: Interval, now: Instant) -> Tried:
    """What a limit would do that is not there, beside those that are; it stands for the one whose mRID it has."""
    board = _board_under(snapshot, content, window)
    limits = {**holding(snapshot, window), f"{content.dso}/{content.mrid}": content}
    bounds = bounds_of_started(limits.values(), board)
    return Tried(
        taken=True,
        reasons=(),
        limit=line_of(content, now, issued=now),
        window=window,
        sides=sides(content, board, bounds),
        parts=part_lines(content, board, bounds),
        findings=findings_under(content, limits.values(), board),
    )


def sides(limit: LimitContent, board: Board, bounds: Bounds) -> list[Side]:
    """A limit against the plans of its assets, by direction; `bounds` are those of assets that are to start."""
    found = [balance_of(list(parts_under(limit, side, board, bounds)), side, board) for side in SIDES[limit.direction]]
    return [
        Side(
            side=one.side,
            allowed=bound_curve(board.grid, one.allowed),
            scheduled=bound_curve(board.grid, _where(one.allowed, one.scheduled)),
            excess=_some(board.grid, one.excess),
            margin=_some(board.grid, one.margin),
        )
        for one in found
        if any(watts != NONE for watts in one.allowed)
    ]


def part_lines(limit: LimitContent, board: Board, bounds: Bounds) -> list[PartLine]:
    """What a limit says to each asset, and how its plan keeps to it: those that leave it most first."""
    lines = [_part_line(said, limit, board, bounds) for said in limit.parts]
    return sorted(lines, key=lambda line: (-line.excess_w, line.asset))[:PARTS_SHOWN]


def concerned(limit: LimitContent, snapshot: Snapshot) -> set[Identifier]:
    """Who operates an asset that the limit has a part for."""
    held = (snapshot.get(OPERATOR_ASSETS, part.resource, OperatorAsset) for part in limit.parts)
    return {one.operator for one in held if one and one.dso == limit.dso}


def totals(limit: LimitContent, grid: Grid) -> list[Curve]:
    """What the DSO allowed in each series."""
    return [bound_curve(grid, least(grid, one.periods)) for one in limit.totals]


def _part_line(said: AssetShare | AssetOrder, limit: LimitContent, board: Board, bounds: Bounds) -> PartLine:
    asset = board.assets.get(said.resource)
    judged = [part_of(said, limit, side, board, bounds) for side in SIDES[limit.direction]]
    found = [part for part in judged if part]
    allowed = next((part.allowed for part in found if any(watts != NONE for watts in part.allowed)), [])
    return PartLine(
        asset=said.resource,
        operator=asset.operator if asset else None,
        rated_w=asset.capability.rated(limit.direction) if asset else 0,
        action=said.action.value if isinstance(said, AssetOrder) else None,
        allowed=bound_curve(board.grid, allowed),
        excess_w=max((max(part.excess) for part in found if part.excess), default=0),
        energy_wh=sum(sum(part.excess) for part in found if part.excess) / 4,
        planned=said.resource in board.plans,
        present=asset is not None and asset.dso == limit.dso,
    )


def _board_under(snapshot: Snapshot, limit: LimitContent, window: Interval) -> Board:
    return board_of(snapshot, window, {part.resource for part in limit.parts})


def _where(allowed: Slots, slots: Slots) -> Slots:
    return [watts if most != NONE else NONE for most, watts in zip(allowed, slots, strict=True)]


def _some(grid: Grid, slots: Slots) -> Curve:
    return [stretch for stretch in bound_curve(grid, slots) if stretch[2]]
