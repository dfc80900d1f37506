"""Limits judged again and again while plans change: only what a change touches is counted again (F3)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

from msgspec import Struct

from documents.values import Identifier, Interval, Mrid
from hub.implications.account import Account, Balance
from hub.implications.findings import Finding, findings_of
from hub.implications.parts import SIDES, Board, Bounds, Kind, Part, bounds_of_started, part_of, parts_under
from hub.rows import LimitContent
from hub.values import Action, AssetOrder, AssetShare, Direction


class Entry(Struct):
    """One limit in the ledger: what it says to each asset, its accounts, and what they give."""

    limit: LimitContent
    said: Mapping[Identifier, AssetShare | AssetOrder]
    accounts: dict[tuple[Direction, Kind], Account]
    found: list[Finding]


class Ledger:
    """Judges the limits of one grid. A change costs the quarter-hours of the limits that it touches."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def judge(
        self, limits: Mapping[str, LimitContent], board: Board, moved: Collection[Identifier] = ()
    ) -> list[Finding]:
        """Where plans and limits do not fit, by time, then by limit; `limits` are all that hold.

        `moved` are the assets whose plan or registration has changed since the last time; which limits have is seen.
        """
        changed = {key for key in self._entries.keys() | limits.keys() if self._limit(key) is not limits.get(key)}
        bounds = bounds_of_started(limits.values(), board)
        again = {*moved, *self._restarted(changed, limits)}
        for key in changed:
            self._entries.pop(key, None)
        for key, limit in limits.items():
            if key in changed:
                self._entries[key] = _entry(limit, board, bounds)
            else:
                _amend(self._entries[key], again, board, bounds)
        found = chain.from_iterable(entry.found for entry in self._entries.values())
        return sorted(found, key=_order)

    def _limit(self, key: str) -> LimitContent | None:
        entry = self._entries.get(key)
        return entry.limit if entry else None

    def _restarted(self, changed: Collection[str], limits: Mapping[str, LimitContent]) -> Iterator[Identifier]:
        """Assets that are to start and that a changed limit binds or has bound: what they may use has changed too."""
        before = [self._entries[key].limit for key in changed if key in self._entries]
        named = {
            part.resource
            for limit in (*before, *(limits[key] for key in changed if key in limits))
            for part in limit.parts
        }
        return (
            order.resource
            for limit in limits.values()
            for order in limit.orders
            if order.action is Action.START and order.resource in named
        )


def findings(limits: Sequence[LimitContent], board: Board) -> list[Finding]:
    """Where plans and limits do not fit, and where assets without a plan cost margin; by time, then by limit.

    `limits` are those that hold: not cancelled. Cost: limits times their assets times quarter-hours.
    """
    return Ledger().judge({str(number): limit for number, limit in enumerate(limits)}, board)


def findings_under(limit: LimitContent, limits: Collection[LimitContent], board: Board) -> list[Finding]:
    """The findings of one limit alone; `limits` are all that hold, for what a START may use."""
    return sorted(_entry(limit, board, bounds_of_started(limits, board)).found, key=_order)


def balances(limit: LimitContent, limits: Collection[LimitContent], board: Board) -> list[Balance]:
    """One limit against the plans of its assets, by direction; `limits` are all that hold, for what a START may use."""
    bounds = bounds_of_started(limits, board)
    return [balance_of(list(parts_under(limit, side, board, bounds)), side, board) for side in SIDES[limit.direction]]


def balance_of(held: Sequence[Part], side: Direction, board: Board) -> Balance:
    """The sums of some parts in one direction."""
    account = Account(board.grid.count)
    account.put(held)
    return account.balance(side)


def _entry(limit: LimitContent, board: Board, bounds: Bounds) -> Entry:
    entry = Entry(limit, {part.resource: part for part in limit.parts}, {}, [])
    for side in SIDES[limit.direction]:
        held = list(parts_under(limit, side, board, bounds))
        for kind in Kind:
            alike = [part for part in held if part.kind is kind]
            if alike:
                account = entry.accounts[side, kind] = Account(board.grid.count)
                account.put(alike)
    _look(entry, board)
    return entry


def _amend(entry: Entry, moved: Collection[Identifier], board: Board, bounds: Bounds) -> None:
    """Judge the parts of these assets again."""
    touched = [resource for resource in moved if resource in entry.said]
    for resource in touched:
        for account in entry.accounts.values():
            account.take(resource)
        for side in SIDES[entry.limit.direction]:
            part = part_of(entry.said[resource], entry.limit, side, board, bounds)
            if part:
                entry.accounts.setdefault((side, part.kind), Account(board.grid.count)).put([part])
    if touched:
        _look(entry, board)


def _look(entry: Entry, board: Board) -> None:
    entry.found = [
        finding
        for (side, kind), account in entry.accounts.items()
        for finding in findings_of(entry.limit, side, kind, account, board.grid)
    ]


def _order(one: Finding) -> tuple[Interval, Identifier, Mrid, Direction, Kind, tuple[Identifier, ...]]:
    return one.interval, one.dso, one.mrid, one.side, one.kind, one.unplanned
