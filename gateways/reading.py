"""How clients read rows: single ones, pages of lists, long polls (floor 7; R32, R33).

A list page ends with the key it stopped at; a feed's answer with a cursor. Without one, a feed goes on where this
token was last answered, and the first time it gives what is current.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from documents.values import Instant, Interval
from gateways.positions import Positions
from gateways.problems import ProblemError
from gateways.rest import Call, Query
from hub.feed import BadCursor, Cursor, Feed
from hub.ports import Clock, Item, RowReader, Scope

R = TypeVar("R", bound=Struct)
VERSION: Final = 1
BEGINNING: Final = "0"
"""The cursor before everything, for a client that wants a feed from its start."""

EVER: Final = datetime(1, 1, 2, tzinfo=UTC)
FOREVER: Final = datetime(9999, 12, 30, tzinfo=UTC)
"""Ends of an open span."""

AtMost = Annotated[int, Meta(ge=1, le=10_000)]


class PageQuery(Query, frozen=True, kw_only=True):
    """A page: at most `limit` items, going on `after` an earlier page's `next`."""

    limit: AtMost | None = None
    after: Annotated[str, Meta(max_length=400)] | None = None


class PollQuery(PageQuery, frozen=True, kw_only=True):
    """A long poll: wait up to `timeout` seconds for what comes `after` the cursor."""

    timeout: Annotated[int, Meta(ge=0, le=300)] = 30


class Found(Struct, Generic[R], frozen=True):
    """A row with its place in its feed."""

    row: R
    item: Item


class Page(Struct, Generic[R], frozen=True):
    """Rows and how to go on."""

    found: tuple[Found[R], ...]
    next: str | None


class Reader:
    """The rows of one participant."""

    def __init__(
        self,
        rows: RowReader,
        scope: Scope,
        *,
        feed: Feed,
        positions: Positions,
        clock: Clock,
        page_max: int,
    ) -> None:
        self._rows, self._scope, self._feed, self._positions = rows, scope, feed, positions
        self._clock, self._page_max = clock, page_max
        self._heads: dict[str, int] = {}
        """What each feed has reached at least; a feed never goes back."""

    async def get(self, view: str, key: str, kind: type[R]) -> Found[R] | None:
        """The current row of a key."""
        item = await self._rows.get(self._scope, view, key)
        return _found(item, kind) if item else None

    async def every(
        self, view: str, kind: type[R], *, groups: Sequence[str] = (), overlapping: Interval | None = None
    ) -> list[Found[R]]:
        """All current rows, however many."""
        found: list[Found[R]] = []
        after = ""
        while items := await self._rows.list(
            self._scope, view, groups=groups, overlapping=overlapping, after_key=after
        ):
            found.extend(_found(item, kind) for item in items)
            after = items[-1].key
        return found

    async def page(
        self,
        view: str,
        kind: type[R],
        query: PageQuery,
        *,
        keep: Callable[[R], bool] = lambda _: True,
        groups: Sequence[str] = (),
        overlapping: Interval | None = None,
        issued: Interval | None = None,
    ) -> Page[R]:
        """One page of current rows by ascending key. Raises ProblemError."""
        limit, after = self.limit(query), _key(query.after)
        found: list[Found[R]] = []
        while len(found) <= limit:
            items = await self._rows.list(
                self._scope,
                view,
                groups=groups,
                overlapping=overlapping,
                issued=issued,
                after_key=after,
                limit=limit + 1,
            )
            if not items:
                return Page(tuple(found), None)
            after = items[-1].key
            found += [one for item in items if keep((one := _found(item, kind)).row)]
        shown = found[:limit]
        return Page(tuple(shown), _opaque(shown[-1].item.key))

    async def poll(
        self,
        call: Call,
        view: str,
        kind: type[R],
        *,
        current: Callable[[], Awaitable[list[Found[R]]]] | None = None,
    ) -> tuple[Sequence[Found[R]], str]:
        """What came since the cursor, and the next one. Without a cursor: since this token's last answer (R33).

        The first time `current` gives what stands now; without it, or when nothing does, changes from now are waited
        for. Raises ProblemError.
        """
        query: PollQuery = call.query
        position = await self._position(call, view, query.after)
        found: Sequence[Found[R]] = ()
        if position is None:
            position, found = await self._first(view, current, self.limit(query))
        if not found:
            items = await self._feed.wait(
                self._scope, view, after=position, timeout_s=query.timeout, limit=self.limit(query)
            )
            found = [_found(item, kind) for item in items]
            position = items[-1].sequence if items else position
        self._heads[view] = max(position, self._heads.get(view, 0))
        self._positions.note(call.token.fingerprint, view, position)
        return found, Cursor(view, VERSION, position).encode()

    def limit(self, query: PageQuery) -> int:
        """How many items an answer may have. Raises ProblemError."""
        if query.limit is not None and query.limit > self._page_max:
            raise ProblemError(400, f"The limit is {query.limit}; expected at most {self._page_max}.")
        return query.limit or self._page_max

    async def _position(self, call: Call, view: str, after: str | None) -> int | None:
        if after == BEGINNING:
            return 0
        if after is None:
            return await self._positions.of(call.token.fingerprint, view)
        try:
            cursor = Cursor.decode(after, view=view)
        except BadCursor as error:
            raise ProblemError(400, str(error)) from error
        if not await self._has_reached(view, cursor.sequence):
            raise ProblemError(400, "This cursor is from another gateway or a lost store. Start again without one.")
        return cursor.sequence

    async def _has_reached(self, view: str, sequence: int) -> bool:
        """Whether the feed has an item of this number; the store is asked only for what is news."""
        if sequence > self._heads.get(view, 0):
            self._heads[view] = await self._rows.head(self._scope, view)
        return sequence <= self._heads.get(view, 0)

    async def _first(
        self, view: str, current: Callable[[], Awaitable[list[Found[R]]]] | None, limit: int
    ) -> tuple[int, Sequence[Found[R]]]:
        """What stands now in feed order. The head is read first, so that nothing falls between the two looks."""
        head = await self._rows.head(self._scope, view)
        found = sorted(await current() if current else (), key=lambda one: one.item.sequence)
        if len(found) > limit:
            return found[limit - 1].item.sequence, found[:limit]
        return max([head, *(one.item.sequence for one in found[-1:])]), found


def span(start: Instant | None, end: Instant | None, *, names: tuple[str, str]) -> Interval | None:
    """A half-open filter from two parameters, either of which may be missing. Raises ProblemError."""
    if start is None and end is None:
        return None
    interval = Interval(_utc(start, names[0]) if start else EVER, _utc(end, names[1]) if end else FOREVER)
    if interval.end <= interval.start:
        raise ProblemError(400, f"{names[1]} is not after {names[0]}; expected a span of time.")
    return interval


def _utc(given: datetime, name: str) -> datetime:
    """An instant in UTC, within what a calendar can say. Raises ProblemError."""
    try:
        instant = given.astimezone(UTC)
    except OverflowError:
        instant = None
    if instant is None or not EVER <= instant <= FOREVER:
        raise ProblemError(400, f"{name} is {given.isoformat()}; expected an instant of our time.")
    return instant


def _found(item: Item, kind: type[R]) -> Found[R]:
    assert item.payload is not None, "rows of a gateway's views are marked, not emptied, where feeds are read"
    return Found(msgspec.msgpack.decode(item.payload, type=kind), item)


def _opaque(key: str) -> str:
    return urlsafe_b64encode(b"k" + key.encode()).decode().rstrip("=")


def _key(after: str | None) -> str:
    if after is None:
        return ""
    try:
        raw = urlsafe_b64decode(after.encode("ascii") + b"=" * (-len(after) % 4)).decode()
    except (ValueError, binascii.Error):
        raw = ""
    if not raw.startswith("k") or not raw.isprintable() or _opaque(raw[1:]) != after:
        raise ProblemError(400, "This is no continuation of a list. Give `after` exactly as an earlier page's `next`.")
    return raw[1:]
