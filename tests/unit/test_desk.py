"""The desk: batches, conflicts, outages, repeats, faults (R28, R29, R30)."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from documents.values import Identifier
from hub.clock import ORIGIN, ManualClock
from hub.desk import Desk, Outcome
from hub.errors import LogCorrupt, Mismatch, Unavailable
from hub.ports import Batch, IdempotencyKey, InboxEntry, NewEvent, Recorded, Row, Sending
from hub.store.memory import MemoryStore

NORTH = Identifier("A01:NORTH")


class Said(Struct, frozen=True):
    """The one event of the brain below: a word, and how many were said before it."""

    word: str
    after: int


class Parrot:
    """A brain that repeats words. "crash", "crash rows" and "crash evolve" make it fail there; "hush" does nothing."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def encode(self, event: Said) -> tuple[str, bytes]:
        return "Said.v1", f"{event.after} {event.word}".encode()

    def decode(self, topic: str, state: bytes) -> Said:
        after, _, word = state.decode().partition(" ")
        return Said(word, int(after))

    def stream_of(self, event: Said) -> str:
        return f"word/{event.word}"

    def decide(self, command: str, now: datetime) -> Sequence[Said]:
        if command == "crash":
            raise ZeroDivisionError
        return () if command == "hush" else (Said(command, len(self.words)),)

    def rows(self, recorded: Recorded[Said]) -> Sequence[Row]:
        if recorded.event.word == "crash rows":
            raise KeyError
        send = SENT.get(recorded.event.word)
        return (Row(view="words", audience=NORTH, key=recorded.event.word, payload=recorded.event, send=send),)

    def evolve(self, recorded: Recorded[Said]) -> None:
        self.words.append(recorded.event.word)
        if recorded.event.word == "crash evolve":
            raise IndexError

    def savepoint(self) -> int:
        return len(self.words)

    def rollback(self, savepoint: int) -> None:
        del self.words[savepoint:]


SENT = {
    f"send {kind}": Sending(business_type="TPS-ASSETS", document=kind, expires=ORIGIN, urgent=kind == "urgent")
    for kind in ("urgent", "bulk")
}


class Ears:
    """Bells that remember what rang."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Identifier]] = []

    def ring(self, changed: Iterable[tuple[str, Identifier]]) -> None:
        self.heard.extend(changed)


class Gate:
    """A commit that counts, and can be told to fail before or after writing."""

    def __init__(self, store: MemoryStore) -> None:
        self._commit = store.commit
        self.batches: list[Batch] = []
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.poison = ""

    async def commit(self, batch: Batch) -> int:
        if self.before:
            raise self.before.pop()
        if self.poison and any(self.poison.encode() in event.state for event in batch.events):
            raise ValueError(self.poison)
        head = await self._commit.commit(batch)
        self.batches.append(batch)
        if self.after:
            raise self.after.pop()
        return head

    async def known(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        return await self._commit.known(keys)

    async def replay_acknowledgements(self, sender: str, message_id: str, *, now: datetime) -> None:
        await self._commit.replay_acknowledgements(sender, message_id, now=now)


class Bench:
    """A desk on a store in memory, with everything to look at."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore(component="A01:HUB")
        self.brain, self.ears, self.clock, self.gate = Parrot(), Ears(), ManualClock(), Gate(self.store)
        self.desk = self.opened(quarantine=lambda command, inbox, error: f"aside {error}")

    def opened(self, **options: Any) -> Desk:  # the options of Desk
        return Desk(self.brain, self.store.log, self.gate, clock=self.clock, bells=self.ears, **options)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.desk.run())
            yield
            self.desk.stop()

    async def say(self, *words: str) -> list[Outcome]:
        """Submit all at once, so that they meet in one batch, and wait for them."""
        async with asyncio.TaskGroup() as tasks:
            said = [tasks.create_task(self.desk.submit(word, cause=word)) for word in words]
        return [task.result() for task in said]

    async def log(self) -> list[str]:
        return [event.state.decode() async for event in self.store.log.read()]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def entry(message_id: str) -> InboxEntry:
    return InboxEntry(
        sender=NORTH,
        message_id=message_id,
        business_type="TPS-ASSETS",
        document="d",
        digest="00",
        received=ORIGIN,
        expires=ORIGIN,
    )


async def test_what_is_queued_is_decided_on_the_evolving_state_and_committed_once(bench: Bench) -> None:
    async with bench.running():
        outcomes = await bench.say("one", "two", "three")

    assert await bench.log() == ["0 one", "1 two", "2 three"]
    assert len(bench.gate.batches) == 1
    assert [outcome.position for outcome in outcomes] == [1, 2, 3]
    assert outcomes[1].events == (Said("two", 1),)
    assert bench.ears.heard == [("words", NORTH)]


@pytest.mark.parametrize(
    ("words", "kinds"),
    [(["one"], []), (["send urgent"], [{True}]), (["send bulk", "one"], [{False}]), ([*SENT], [{True, False}])],
)
async def test_r28_what_a_commit_lets_leave_is_told_by_its_kind(
    bench: Bench, words: list[str], kinds: list[set[bool]]
) -> None:
    told: list[Collection[bool]] = []
    bench.desk = bench.opened(leaving=told.append)

    async with bench.running():
        await bench.say(*words)

    assert told == kinds


async def test_r28_the_acknowledgements_of_a_message_are_urgent(bench: Bench) -> None:
    told: list[Collection[bool]] = []
    bench.desk = bench.opened(leaving=told.append)

    async with bench.running():
        await bench.desk.submit("hush", cause="message", inbox=entry("m1"))

    assert told == [{True}]


async def test_a_batch_holds_at_most_64_commands(bench: Bench) -> None:
    async with bench.running():
        await bench.say(*(f"word{number}" for number in range(130)))

    assert [len(batch.events) for batch in bench.gate.batches] == [64, 64, 2]


async def test_a_batch_holds_few_long_documents_so_that_nothing_urgent_waits_for_many(bench: Bench) -> None:
    sizes = [300_000, 200_000, 50_000, 20_000]
    async with asyncio.TaskGroup() as tasks:
        for number, size in enumerate(sizes):
            tasks.create_task(bench.desk.submit(f"word{number}", cause=f"d{number}", payload=bytes(size)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        bench.desk.stop()
        await bench.desk.run()

    assert [[len(payload) for payload in batch.payloads] for batch in bench.gate.batches] == [
        [300_000],
        [200_000, 50_000],
        [20_000],
    ]


async def test_streams_are_numbered_from_one_without_gaps_across_batches_and_restarts(bench: Bench) -> None:
    async with bench.running():
        await bench.say("a", "b", "a")
    again = Bench(bench.store)
    await again.desk.start()
    async with again.running():
        await again.say("a")

    events = [event async for event in bench.store.log.read()]
    assert [(event.stream, event.version) for event in events] == [
        ("word/a", 1),
        ("word/b", 1),
        ("word/a", 2),
        ("word/a", 3),
    ]
    assert again.brain.words == ["a", "b", "a", "a"]


async def test_a_command_without_effect_writes_nothing(bench: Bench) -> None:
    async with bench.running():
        (outcome,) = await bench.say("hush")

    assert outcome == Outcome((), 0)
    assert bench.gate.batches == []


async def test_r28_urgent_goes_first_but_never_ahead_of_an_earlier_command_of_the_same_document(bench: Bench) -> None:
    async with asyncio.TaskGroup() as tasks:
        for word, cause, urgent in [
            ("bulk", "d1", False),
            ("later of d1", "d1", True),
            ("urgent", "d2", True),
            ("more bulk", "d3", False),
        ]:
            tasks.create_task(bench.desk.submit(word, cause=cause, urgent=urgent))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        bench.desk.stop()
        await bench.desk.run()

    assert bench.brain.words == ["urgent", "bulk", "later of d1", "more bulk"]


async def test_after_an_external_commit_the_desk_catches_up_rings_and_decides_again(bench: Bench) -> None:
    await bench.store.commit.commit(
        Batch(
            after=0,
            at=ORIGIN,
            events=(NewEvent(stream="word/x", version=1, topic="Said.v1", state=b"0 x", cause="cli"),),
        )
    )

    async with bench.running():
        (outcome,) = await bench.say("mine")

    assert outcome == Outcome((Said("mine", 1),), 2)
    assert bench.brain.words == ["x", "mine"]
    assert bench.ears.heard == [("words", NORTH), ("words", NORTH)]


async def test_catch_up_takes_in_what_another_process_committed(bench: Bench) -> None:
    async with bench.running():
        other = Bench(bench.store)
        await other.desk.start()
        async with other.running():
            await other.say("theirs")

        assert await bench.desk.catch_up() == 1
        assert bench.brain.words == ["theirs"]
        assert bench.ears.heard == [("words", NORTH)]


async def test_an_outage_before_the_commit_delays_and_loses_nothing(bench: Bench) -> None:
    bench.gate.before = [Unavailable("gone")] * 3

    async with bench.running():
        said = asyncio.ensure_future(bench.say("one", "two"))
        while not said.done():
            await bench.clock.advance(20)

    assert await bench.log() == ["0 one", "1 two"]


async def test_a_commit_of_unknown_outcome_is_not_done_twice(bench: Bench) -> None:
    bench.gate.after = [Unavailable("the answer was lost")]

    async with bench.running():
        said = asyncio.ensure_future(bench.say("one"))
        while not said.done():
            await bench.clock.advance(20)

    assert said.result() == [Outcome((Said("one", 0),), 1)]
    assert await bench.log() == ["0 one"]
    assert bench.brain.words == ["one"]


async def test_a_stopping_desk_gives_up_waiting_for_the_store_and_says_so(bench: Bench) -> None:
    bench.gate.before = [Unavailable("gone")] * 100
    said = asyncio.ensure_future(bench.desk.submit("one", cause="d"))
    working = asyncio.ensure_future(bench.desk.run())

    await bench.clock.advance(1)
    bench.desk.stop()
    await bench.clock.advance(20)

    await working
    with pytest.raises(Unavailable):
        await said
    assert bench.brain.words == []


@pytest.mark.parametrize("bad", ["crash", "crash rows", "crash evolve"])
async def test_r30_what_makes_the_code_fail_is_set_aside_and_the_rest_commits(bench: Bench, bad: str) -> None:
    async with bench.running():
        outcomes = await bench.say("one", bad, "two")

    words = [event.split(" ", 1)[1] for event in await bench.log()]
    assert (words[0], words[2]) == ("one", "two")
    assert words[1].startswith("aside ")
    assert outcomes[1].events[0].word == words[1]
    assert len(bench.gate.batches) == 1
    assert bench.desk.set_aside == 1


async def test_r30_without_a_way_to_set_it_aside_only_its_own_caller_fails(bench: Bench) -> None:
    bench.desk = bench.opened()
    async with bench.running():
        one, bad = await asyncio.gather(bench.say("one"), bench.say("crash"), return_exceptions=True)

    assert not isinstance(one, BaseException)
    assert isinstance(bad, ExceptionGroup)
    assert await bench.log() == ["0 one"]


async def test_r30_what_the_store_chokes_on_is_set_aside_too(bench: Bench) -> None:
    bench.gate.poison = "poison"
    async with bench.running():
        await bench.say("one", "poison", "two")

    assert sorted(event.split(" ", 1)[1] for event in await bench.log()) == ["aside ValueError", "one", "two"]


async def test_a_message_that_comes_twice_takes_effect_once(bench: Bench) -> None:
    async with bench.running():
        together = await asyncio.gather(
            bench.desk.submit("one", cause="d", inbox=entry("m1")),
            bench.desk.submit("one", cause="d", inbox=entry("m1")),
        )
        later = await bench.desk.submit("one", cause="d", inbox=entry("m1"))

    assert [outcome.events for outcome in (*together, later)] == [(Said("one", 0),), (), ()]
    assert await bench.log() == ["0 one"]


async def test_a_message_known_from_before_a_restart_takes_no_second_effect(bench: Bench) -> None:
    async with bench.running():
        await bench.desk.submit("one", cause="d", inbox=entry("m1"))
    again = Bench(bench.store)
    await again.desk.start()
    async with again.running():
        repeated = await again.desk.submit("one", cause="d", inbox=entry("m1"))

    assert repeated.events == ()
    assert await bench.log() == ["0 one"]


async def test_the_id_of_a_message_with_another_content_is_no_repeat_of_it(bench: Bench) -> None:
    async with bench.running():
        one, two = await asyncio.gather(
            bench.desk.submit("one", cause="d", inbox=entry("m1")),
            bench.desk.submit("two", cause="d", inbox=replace(entry("m1"), digest="cd" * 32)),
            return_exceptions=True,
        )
        with pytest.raises(Mismatch):
            await bench.desk.submit("two", cause="d", inbox=replace(entry("m1"), digest="cd" * 32))

    assert one == Outcome((Said("one", 0),), 1)
    assert isinstance(two, Mismatch)
    assert await bench.log() == ["0 one"]


async def test_another_content_is_no_repeat_of_what_was_taken_in_before_a_restart(bench: Bench) -> None:
    async with bench.running():
        await bench.desk.submit("one", cause="d", inbox=entry("m1"))
    again = Bench(bench.store)
    await again.desk.start()
    async with again.running():
        with pytest.raises(Mismatch):
            await again.desk.submit("two", cause="d", inbox=replace(entry("m1"), digest="cd" * 32))

    assert await bench.log() == ["0 one"]


async def test_a_taken_idempotency_key_fails_its_own_caller_only(bench: Bench) -> None:
    key = IdempotencyKey(scope="s", key="k", fingerprint="f", documents=())
    async with bench.running():
        await bench.desk.submit("one", cause="a", key=key)
        again, other = await asyncio.gather(
            bench.desk.submit("again", cause="b", key=key),
            bench.desk.submit("other", cause="c"),
            return_exceptions=True,
        )

    assert type(again).__name__ == "Conflict"
    assert isinstance(other, Outcome)
    assert bench.brain.words == ["one", "other"]


async def test_a_caller_that_leaves_takes_back_what_is_not_decided(bench: Bench) -> None:
    leaving = asyncio.ensure_future(bench.desk.submit("never", cause="d"))
    await asyncio.sleep(0)
    leaving.cancel()
    async with bench.running():
        await bench.say("one")

    assert bench.brain.words == ["one"]


async def test_stopping_finishes_what_is_queued_and_takes_nothing_more(bench: Bench) -> None:
    said = asyncio.ensure_future(bench.say("one"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    bench.desk.stop()
    await bench.desk.run()

    assert await said
    with pytest.raises(Unavailable):
        await bench.desk.submit("late", cause="d")


async def test_time_in_the_log_never_goes_back(bench: Bench) -> None:
    async with bench.running():
        await bench.clock.advance(60)
        await bench.say("one")
        bench.clock._elapsed_s = 0
        await bench.say("two")

    times = [event.at async for event in bench.store.log.read()]
    assert times[0] == times[1]


async def test_a_log_that_contradicts_what_was_read_of_it_stops_the_desk(bench: Bench) -> None:
    async with bench.running():
        await bench.say("one")
    again = Bench(bench.store)
    await again.desk.start()
    again.desk._versions["word/one"] = 0
    said = asyncio.ensure_future(again.desk.submit("one", cause="d"))
    await asyncio.sleep(0)

    with pytest.raises(LogCorrupt):
        await again.desk.run()
    with pytest.raises(Unavailable):
        await said
