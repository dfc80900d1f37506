"""Raw documents go by age and by participant; the log tells it first, and still verifies."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from documents.identifiers import party
from documents.values import Identifier
from hub import app
from hub.aggregates.retention import erased_digests
from hub.app import brain_of
from hub.clock import ORIGIN, ManualClock
from hub.commands import AddParticipant
from hub.desk import Desk
from hub.errors import Unavailable
from hub.events import PayloadsErased
from hub.feed import Bells
from hub.ports import ErasablePayload, InboxEntry
from hub.retention import LOOK_S, Retention
from hub.settings import Database, HubSettings
from hub.store.codec import digest_of, verified
from hub.store.memory import MemoryStore
from hub.values import Role
from tests.system import MARKET
from tests.unit.test_hub_process import run

ALPHA, BRAVO = Identifier("A01:45X-AGR-ALPHA--N"), Identifier("A01:45X-AGR-BRAVO--B")


def entry(sender: str, content: bytes, received: datetime) -> InboxEntry:
    return InboxEntry(
        sender=sender,
        message_id=digest_of(content),
        business_type="TPS-ASSETS",
        document="document",
        digest=digest_of(content),
        received=received,
        expires=received + timedelta(hours=1),
    )


async def take_in(desk: Desk, sender: Identifier, content: bytes, received: datetime = ORIGIN) -> None:
    """A message is stored with its raw document; what it asks for does not matter here."""
    command = AddParticipant(participant=sender, role=Role.AGR, name=content.decode(), by="ops")
    await desk.submit(command, cause="test", inbox=entry(sender, content, received), payload=content)


class Bench:
    """A desk on a store in memory, and the retention that works with both."""

    def __init__(self) -> None:
        self.clock, self.store = ManualClock(), MemoryStore(component="A01:HUB")
        self.desk = Desk(brain_of(MARKET), self.store.log, self.store.commit, clock=self.clock, bells=Bells())
        self.retention = Retention(self.store.payloads, self.submit, self.clock)

    async def submit(self, command: object) -> None:
        await self.desk.submit(command, cause="retention")

    async def __aenter__(self) -> Self:
        await self.desk.start()
        self._work = asyncio.create_task(self.desk.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.desk.stop()
        await self._work

    def events(self) -> list[PayloadsErased]:
        brain = brain_of(MARKET)
        found = [brain.decode(stored.topic, stored.state) for stored in self.store.log.events]
        return [event for event in found if isinstance(event, PayloadsErased)]


async def test_an_erasure_is_an_event_with_who_why_and_what_and_the_log_still_verifies() -> None:
    async with Bench() as bench:
        await take_in(bench.desk, ALPHA, b"alpha's")
        await take_in(bench.desk, BRAVO, b"bravo's")

        assert await bench.retention.erase(before=None, participant=ALPHA, why="left", by="ops") == 1

        digest = digest_of(b"alpha's")
        assert bench.events() == [
            PayloadsErased(digests=(digest,), before=None, participant=ALPHA, why="left", by="ops")
        ]
        assert erased_digests(bench.events()) == {digest}
        assert await bench.store.payload(digest) is None
        assert await bench.store.payload(digest_of(b"bravo's")) == b"bravo's"
        assert len([event async for event in verified(bench.store.log.read())]) == 3


async def test_where_nothing_fits_nothing_is_recorded() -> None:
    async with Bench() as bench:
        await take_in(bench.desk, ALPHA, b"alpha's")

        assert await bench.retention.erase(before=ORIGIN, participant=ALPHA, why="old", by="ops") == 0

        assert bench.events() == []


async def test_many_documents_go_in_events_of_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.retention.AT_ONCE", 2)
    async with Bench() as bench:
        for number in range(5):
            await take_in(bench.desk, ALPHA, f"number {number}".encode())

        assert await bench.retention.erase(before=None, participant=ALPHA, why="left", by="ops") == 5

        assert [len(event.digests) for event in bench.events()] == [2, 2, 1]
        assert bench.store.commit.payloads == {}


async def test_the_log_is_told_before_anything_is_deleted() -> None:
    """Cut off in between, every absent document must have its record."""
    async with Bench() as bench:
        await take_in(bench.desk, ALPHA, b"alpha's")

        async def refuse(_: object) -> None:
            raise Unavailable("no database")

        with pytest.raises(Unavailable):
            await Retention(bench.store.payloads, refuse, bench.clock).erase(
                before=None, participant=ALPHA, why="left", by="ops"
            )

        assert await bench.store.payload(digest_of(b"alpha's")) == b"alpha's"


async def test_the_hub_erases_by_itself_what_has_come_to_its_age() -> None:
    async with Bench() as bench:
        await take_in(bench.desk, ALPHA, b"first")
        keeping = asyncio.create_task(bench.retention.keep(7))

        await bench.clock.advance(7 * 86_400)
        await take_in(bench.desk, ALPHA, b"second", bench.clock.now())
        assert bench.events() == []
        await bench.clock.advance(LOOK_S)
        await asyncio.sleep(0.01)

        (event,) = bench.events()
        assert (event.digests, event.by, event.participant) == ((digest_of(b"first"),), "retention", None)
        assert event.why == "older than 7 days (hub.keep_payloads_days)"
        assert list(bench.store.commit.payloads.values()) == [b"second"]
        keeping.cancel()


async def test_without_a_number_of_days_everything_is_kept_and_a_lost_database_ends_nothing() -> None:
    class Away:
        """Payloads of a store that is not there."""

        async def erasable(self, *, before: object, sender: object, limit: int = 0) -> Sequence[ErasablePayload]:
            raise Unavailable("no database")

        async def erase(self, digests: Sequence[str]) -> int:
            raise Unavailable("no database")

    async with Bench() as bench:
        await take_in(bench.desk, ALPHA, b"old", ORIGIN - timedelta(days=10_000))
        forever = asyncio.create_task(bench.retention.keep(0))
        unlucky = asyncio.create_task(Retention(Away(), bench.submit, bench.clock).keep(1))

        await bench.clock.advance(3 * LOOK_S)

        assert not forever.done()
        assert not unlucky.done()
        assert len(bench.store.commit.payloads) == 1
        forever.cancel(), unlucky.cancel()


@pytest.mark.slow
def test_the_command_line_erases_by_participant_and_by_age_and_says_how_many(tmp_path: Path) -> None:
    settings = HubSettings(hub=MARKET, database=Database(dir=tmp_path))

    async def before() -> None:
        async with app.operating(settings) as (desk, _):
            await take_in(desk, ALPHA, b"alpha's")
            await take_in(desk, BRAVO, b"bravo's")

    asyncio.run(before())
    erase = ("payloads", "erase", "--why", "left")

    assert run(tmp_path, *erase)[0] == 2
    assert run(tmp_path, *erase, "--participant", ALPHA[4:], "--dry-run") == (
        0,
        "1 raw documents (7 bytes) would be erased.\n",
    )
    assert run(tmp_path, *erase, "--participant", ALPHA[4:]) == (0, "1 raw documents (7 bytes) erased.\n")
    assert run(tmp_path, *erase, "--participant", ALPHA[4:]) == (0, "0 raw documents (0 bytes) erased.\n")
    code, printed = run(tmp_path, *erase, "--before", "2100-01-01", "--json")
    assert (code, '"documents":1,"bytes":7' in printed, '"erased":true' in printed) == (0, True, True)
    assert party(ALPHA[4:]) == ALPHA
