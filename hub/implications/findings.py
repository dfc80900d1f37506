"""What is wrong with one limit and the plans under it, to be listed (F3)."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from msgspec import Struct

from documents.values import Identifier, Interval, Mrid, Power
from hub.implications.account import Account, Balance
from hub.implications.grid import Grid
from hub.implications.parts import Kind, Part
from hub.rows import LimitContent
from hub.values import Direction, LimitKind


class Finding(Struct, frozen=True, kw_only=True, rename="camel"):
    """Neighbouring quarter-hours in which one limit meets its plans in the same way.

    `scheduled_w` and `allowed_w` stand at the quarter-hour of the largest `excess_w`; `excess_wh` sums all of them.
    `assets` are those that do not fit, `unplanned` those without a plan, whose parts cost `margin_w` at most.
    """

    kind: Kind
    dso: Identifier
    mrid: Mrid
    revision: int
    limit: LimitKind
    side: Direction
    interval: Interval
    scheduled_w: Power
    allowed_w: Power
    excess_w: Power
    excess_wh: float
    margin_w: Power
    assets: tuple[Identifier, ...]
    unplanned: tuple[Identifier, ...]


def findings_of(limit: LimitContent, side: Direction, kind: Kind, account: Account, grid: Grid) -> Iterator[Finding]:
    """What the parts of one kind give in one direction."""
    balance = account.balance(side)
    over = [part for part in account.parts.values() if part.excess]
    left = [part for part in account.parts.values() if part.margin]
    for collides, first, last in _runs(balance):
        cut = slice(first, last)
        worst = max(range(first, last), key=lambda slot: (balance.excess[slot], balance.margin[slot]))
        yield Finding(
            kind=kind if collides else Kind.UNPLANNED,
            dso=limit.dso,
            mrid=limit.mrid,
            revision=limit.revision,
            limit=limit.kind,
            side=side,
            interval=grid.interval(first, last),
            scheduled_w=balance.scheduled[worst],
            allowed_w=balance.allowed[worst],
            excess_w=balance.excess[worst],
            excess_wh=sum(balance.excess[cut]) / 4,
            margin_w=max(balance.margin[cut]),
            assets=_sorted(part for part in over if part.excess and any(part.excess[cut])),
            unplanned=_sorted(part for part in left if part.margin and any(part.margin[cut])),
        )


def _sorted(parts: Iterable[Part]) -> tuple[Identifier, ...]:
    return tuple(sorted(part.resource for part in parts))


def _runs(balance: Balance) -> Iterator[tuple[bool, int, int]]:
    """Neighbouring quarter-hours with excess (True), or with nothing but margin (False): first, and the one after."""
    states = [2 if over else 1 if left else 0 for over, left in zip(balance.excess, balance.margin, strict=True)]
    for state, run in groupby(range(len(states)), key=states.__getitem__):
        if state:
            slots = list(run)
            yield state == 2, slots[0], slots[-1] + 1
