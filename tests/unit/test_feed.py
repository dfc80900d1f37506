"""Waiting for rows: no lost wake-ups, no leaked waiters, cursors that say what they are (R32, R33)."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.values import Identifier
from hub.clock import ManualClock
from hub.feed import WAKE_AT_ONCE, BadCursor, Bells, Cursor, Feed
from hub.ports import Batch, Item, Row, RowReader, Scope
from hub.store.memory import MemoryStore

NORTH, SOUTH = Identifier("A01:NORTH"), Identifier("A01:SOUTH")
VIEW = "dso_assets"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Bench:
    """A feed over a store in memory."""

    def __init__(self) -> None:
        self.store, self.bells, self.clock = MemoryStore(component="A01:HUB"), Bells(), ManualClock()
        self.feed = Feed(self.store.rows, self.bells, self.clock)

    async def write(self, key: str, audience: Identifier = NORTH, *, ringing: bool = True) -> None:
        row = Row(view=VIEW, audience=audience, key=key, payload=key)
        await self.store.commit.commit(Batch(after=await self.store.log.head(), at=NOON, rows=((0, row),)))
        if ringing:
            self.bells.ring([(VIEW, audience)])

    def wait(self, *, after: int = 0, timeout_s: float = 30, audience: Identifier = NORTH) -> "asyncio.Task[list[str]]":
        async def keys() -> list[str]:
            items = await self.feed.wait(Scope(audience), VIEW, after=after, timeout_s=timeout_s)
            return [item.key for item in items]

        return asyncio.create_task(keys())


class CountedRows:
    """Rows that count the looks at them; a look takes a turn of the loop, and has seen before it what it has seen."""

    def __init__(self, rows: RowReader) -> None:
        self._rows, self.looks, self.slow = rows, 0, asyncio.Lock()

    def __getattr__(self, name: str) -> Any:  # whatever the rows have
        return getattr(self._rows, name)

    async def feed(self, scope: Scope, view: str, *, after: int = 0, limit: int = 1000) -> Sequence[Item]:
        self.looks += 1
        items = await self._rows.feed(scope, view, after=after, limit=limit)
        await asyncio.sleep(0)
        async with self.slow:
            return items


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_there_is_returned_at_once(bench: Bench) -> None:
    await bench.write("a")
    await bench.write("b")

    assert await bench.wait() == ["a", "b"]
    assert await bench.wait(after=1) == ["b"]
    assert len(bench.bells) == 0


async def test_a_row_wakes_who_waits_for_it_and_nobody_else(bench: Bench) -> None:
    north, south = bench.wait(), bench.wait(audience=SOUTH)
    await turns()
    await bench.write("a")

    assert await north == ["a"]
    await turns()
    assert not south.done()
    south.cancel()


async def test_after_the_timeout_the_answer_is_empty(bench: Bench) -> None:
    waiting = bench.wait(timeout_s=30)
    await bench.clock.advance(29)
    assert not waiting.done()

    await bench.clock.advance(1)

    assert await waiting == []
    assert len(bench.bells) == 0


async def test_no_timeout_means_one_look(bench: Bench) -> None:
    assert await bench.wait(timeout_s=0) == []


async def test_a_ring_without_a_row_of_ones_own_does_not_end_the_wait(bench: Bench) -> None:
    waiting = bench.wait(after=1)
    await turns()
    await bench.write("a")
    await turns()
    assert not waiting.done()

    await bench.write("b")

    assert await waiting == ["b"]


class Slow:
    """A reader whose answer is overtaken: the row arrives between its look and its answer."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._first = bench, True

    async def feed(self, scope: Scope, view: str, *, after: int = 0, limit: int = 1000) -> list[Item]:
        items = list(await self._bench.store.rows.feed(scope, view, after=after, limit=limit))
        if self._first:
            self._first = False
            await self._bench.write("a")
        return items


async def test_a_row_between_the_look_and_the_wait_is_not_slept_through(bench: Bench) -> None:
    feed = Feed(Slow(bench), bench.bells, bench.clock)  # type: ignore[arg-type] # only `feed` is asked

    items = await feed.wait(Scope(NORTH), VIEW, after=0, timeout_s=30)

    assert [item.key for item in items] == ["a"]


async def test_a_client_that_goes_away_frees_its_wait_at_once(bench: Bench) -> None:
    waiting = bench.wait()
    await turns()
    assert len(bench.bells) == 1

    waiting.cancel()
    await turns()

    assert len(bench.bells) == 0
    assert bench.clock.sleeping == 0
    await bench.write("a")


async def test_thousands_wait_and_all_wake(bench: Bench) -> None:
    waiting = [bench.wait() for _ in range(5 * WAKE_AT_ONCE + 1)]
    await turns()
    assert len(bench.bells) == len(waiting)

    await bench.write("a")

    assert await asyncio.gather(*waiting) == [["a"]] * len(waiting)
    assert len(bench.bells) == 0


async def test_all_who_wait_at_the_same_place_share_a_look(bench: Bench) -> None:
    rows = CountedRows(bench.store.rows)
    bench.feed = Feed(cast("RowReader", rows), bench.bells, bench.clock)
    waiting = [bench.wait() for _ in range(100)]
    await turns()
    before = rows.looks

    await bench.write("a")

    assert [await each for each in waiting] == [["a"]] * 100
    assert rows.looks - before <= 2


async def test_a_look_is_shared_only_when_it_begins_after_it_was_asked_for(bench: Bench) -> None:
    rows = CountedRows(bench.store.rows)
    bench.feed = Feed(cast("RowReader", rows), bench.bells, bench.clock)
    async with rows.slow:
        early = bench.wait(timeout_s=0)
        await turns()
        await bench.write("a", ringing=False)
        late = bench.wait(timeout_s=0)
        await turns()

    assert (await early, await late) == ([], ["a"])


async def test_stopping_wakes_everybody_with_nothing_and_lets_nobody_wait(bench: Bench) -> None:
    waiting = bench.wait()
    await turns()

    bench.bells.close()

    assert await waiting == []
    assert await bench.wait() == []


@given(st.sampled_from(["agr_limits", "dso_assets"]), st.integers(1, 99), st.integers(0, 10**12))
def test_r32_a_cursor_reads_back_what_it_was_made_of(view: str, version: int, sequence: int) -> None:
    cursor = Cursor(view, version, sequence)

    assert Cursor.decode(cursor.encode(), view=view) == cursor
    assert cursor.encode().replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=40))
def test_r32_what_is_no_cursor_is_refused_in_words_for_the_client(text: str) -> None:
    with pytest.raises(BadCursor, match="Give one"):
        Cursor.decode(text, view=VIEW)


@pytest.mark.parametrize(
    "cursor",
    [Cursor("agr_limits", 1, 1), Cursor(VIEW, 0, 1), Cursor(VIEW, 1, -1)],
    ids=["other feed", "version", "sequence"],
)
def test_r32_a_cursor_of_another_feed_is_refused(cursor: Cursor) -> None:
    with pytest.raises(BadCursor):
        Cursor.decode(cursor.encode(), view=VIEW)


def test_r32_a_cursor_is_taken_only_as_it_was_given() -> None:
    text = Cursor(VIEW, 1, 7).encode()

    for tampered in (text + "=", text + "\n", " " + text, text.swapcase()):
        with pytest.raises(BadCursor):
            Cursor.decode(tampered, view=VIEW)
