"""Dispatch: rendering from rows, the beat, the watchdog (R10, R12, R13, R27)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from documents import registry
from documents.model import AcknowledgementMarketDocument, Document, GlMarketDocument, RefMarketDocument
from documents.packing import packed
from documents.values import Identifier, Interval, Period, Point
from hub.clock import ManualClock
from hub.compose import Letterhead
from hub.dispatch import Dispatch
from hub.ports import OPERATOR, Batch, OutgoingMessage, Row, Sending
from hub.rows import (
    AGR_LIMITS,
    ALARMS,
    DSO_ASSETS,
    DSO_SCHEDULES,
    PARTICIPANTS,
    RESPONSES,
    AgrLimit,
    Alarm,
    DsoAsset,
    DsoSchedule,
    Participant,
    Response,
)
from hub.store.memory import MemoryStore
from hub.values import Capability, Direction, LimitKind, Role

HUB = Identifier("A01:45X-TPS-HUB-DEM8")
NORTH, SOUTH = Identifier("A10:5790000000005"), Identifier("A10:5790000000012")
CHARLIE = Identifier("A01:45X-BRP-CHARLIEG")
HEAD = Letterhead(hub=HUB, domain=Identifier("A01:10YDK-2--------M"), zone=ZoneInfo("Europe/Copenhagen"))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Bench:
    """A dispatch over a store in memory; `write` commits rows as a desk would."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(component=HUB), ManualClock(NOON)
        self.dispatch = self.opened()

    def opened(self) -> Dispatch:
        return Dispatch(self.store.rows, self.store.outbox, head=HEAD, clock=self.clock, memory=self.store)

    async def write(self, *rows: Row) -> None:
        batch = Batch(after=0, at=self.clock.now(), rows=tuple((0, row) for row in rows))
        await self.store.commit.commit(batch)

    async def leaving(self) -> list[OutgoingMessage]:
        claims = [
            await self.store.outbox.claim(urgent=urgent, limit=100, now=self.clock.now(), lease_s=1)
            for urgent in (True, False)
        ]
        return [message for messages in claims for message in messages]

    async def beat(self) -> dict[Identifier, Document]:
        """What one beat sends to each audience."""
        await self.dispatch.gather()
        messages = await self.leaving()
        bodies = await self.dispatch.render(messages)
        await self.store.outbox.transported([message.message_id for message in messages], now=self.clock.now())
        return {Identifier(m.receiver): registry.read(bodies[m.message_id]) for m in messages}


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    people = ((NORTH, Role.DSO), (SOUTH, Role.DSO), (CHARLIE, Role.BRP))
    await bench.write(*(participant(one, role) for one, role in people))
    return bench


def participant(one: Identifier, role: Role) -> Row:
    row = Participant(participant=one, role=role, name="", brp=None)
    return Row(view=PARTICIPANTS, audience=OPERATOR, key=one, payload=row)


def asset(name: str, audience: Identifier = NORTH, *, produces: int = 1000) -> Row:
    resource = Identifier(f"NDK:{name}")
    payload = DsoAsset(
        resource=resource,
        point=Identifier("NDK:point"),
        capability=Capability(produces, 0),
        psr_type="A04",
        voltage="0",
    )
    return Row(view=DSO_ASSETS, audience=audience, key=resource, payload=payload, group="NDK:point")


def plan(name: str, *, withdrawn: bool = False, start: datetime = NOON) -> Row:
    span = Interval(start, start + timedelta(hours=1))
    periods = () if withdrawn else (Period(span, "PT15M", (Point(1, -5),)),)
    resource = Identifier(f"NDK:{name}")
    payload = DsoSchedule(series=name * 8, resource=resource, curve=packed(periods), withdrawn=withdrawn)
    return Row(view=DSO_SCHEDULES, audience=NORTH, key=name * 8, payload=payload, group=resource, valid=span)


def response(subject: str, **fields: object) -> Row:
    payload = Response(mrid="f" * 32, request="e" * 32, subject=subject, role="A50", **fields)  # type: ignore[arg-type]
    sending = Sending(business_type="TPS-RESPONSE", document="f" * 32, expires=NOON + timedelta(minutes=15))
    return Row(view=RESPONSES, audience=NORTH, key="f" * 32, payload=payload, send=sending)


async def answered(bench: Bench, row: Row) -> Document:
    await bench.write(row)
    messages = await bench.leaving()
    bodies = await bench.dispatch.render(messages)
    await bench.store.outbox.transported([message.message_id for message in messages], now=bench.clock.now())
    return registry.read(bodies[messages[-1].message_id])


def assets_of(document: Document) -> list[str]:
    assert isinstance(document, RefMarketDocument)
    return [series.name for series in document.series]


async def test_r12_one_beat_merges_all_changes_of_a_dso_into_one_document_each(bench: Bench) -> None:
    await bench.write(asset("b"), asset("x", SOUTH), asset("a"))
    await bench.write(asset("b", produces=7))

    sent = await bench.beat()

    assert assets_of(sent[NORTH]) == ["a", "b"]
    assert assets_of(sent[SOUTH]) == ["x"]


async def test_a_push_of_more_assets_than_one_document_holds_leaves_in_parts_each_later_than_the_one_before(
    bench: Bench,
) -> None:
    await bench.write(*(asset(f"a{number:04}") for number in range(2_500)))
    await bench.dispatch.gather()

    bodies = await bench.dispatch.render(await bench.leaving())

    documents = [registry.read(body) for body in bodies.values()]
    named = [name for document in documents for name in assets_of(document)]
    assert [len(assets_of(document)) for document in documents] == [1_000, 1_000, 500]
    assert named == [f"a{number:04}" for number in range(2_500)]
    assert [document.created - NOON for document in documents] == [timedelta(seconds=n) for n in range(3)]


async def test_two_parts_of_a_push_that_tell_of_the_same_plan_differ_in_their_time(bench: Bench) -> None:
    await bench.write(*(plan(f"{number:03}") for number in range(100)))
    await bench.write(plan("007", withdrawn=True))
    await bench.dispatch.gather()

    bodies = await bench.dispatch.render(await bench.leaving())

    first, second = (registry.read(body) for body in bodies.values())
    assert isinstance(first, GlMarketDocument)
    assert isinstance(second, GlMarketDocument)
    assert [series.cancelled for series in second.series] == [True]
    assert first.created < second.created


async def test_r12_a_quiet_beat_sends_nothing_and_nothing_is_sent_twice(bench: Bench) -> None:
    assert await bench.beat() == {}

    await bench.write(asset("a"))

    assert set(await bench.beat()) == {NORTH}
    assert await bench.beat() == {}


async def test_r12_an_asset_that_came_and_went_within_a_beat_is_sent_as_gone(bench: Bench) -> None:
    await bench.write(asset("a"), Row(view=DSO_ASSETS, audience=NORTH, key="NDK:a", payload=None))

    document = (await bench.beat())[NORTH]

    assert isinstance(document, RefMarketDocument)
    assert [(series.name, series.cancelled) for series in document.series] == [("a", True)]


async def test_r10_asset_documents_of_one_dso_are_strictly_ordered_by_their_creation(bench: Bench) -> None:
    created = []
    for name in "abc":
        await bench.write(asset(name))
        document = (await bench.beat())[NORTH]
        created.append(document.created)
    bench.dispatch = bench.opened()
    await bench.write(asset("d"))
    created.append((await bench.beat())[NORTH].created)

    assert created == [NOON + timedelta(seconds=second) for second in range(4)]


async def test_r22_a_limit_asked_for_again_says_when_it_was_issued(bench: Bench) -> None:
    copy = AgrLimit(
        mrid="c" * 32,
        revision=1,
        kind=LimitKind.FORESEEN,
        direction=Direction.BOTH,
        interval=Interval(NOON, NOON + timedelta(hours=9)),
    )
    await bench.clock.advance(3600)
    sending = Sending(business_type="TPS-RESPONSE", document=copy.mrid, expires=NOON + timedelta(hours=2))
    row = Row(view=AGR_LIMITS, audience=CHARLIE, key=copy.mrid, payload=copy, issued=NOON, send=sending)

    document = await answered(bench, row)

    assert document.created == NOON


async def test_r10_plans_pushed_after_an_answer_are_dated_after_it(bench: Bench) -> None:
    """A gateway drops what is older than its last full list: two questions in one second once hid the next plans."""
    await bench.write(asset("a"), plan("p"))
    await bench.beat()
    await answered(bench, response("A95"))
    everything = await answered(bench, response("A67"))

    await bench.write(plan("q"))
    push = (await bench.beat())[NORTH]

    assert isinstance(everything, GlMarketDocument)
    assert isinstance(push, GlMarketDocument)
    assert push.created > everything.created


async def test_r36_the_creation_times_of_one_dso_do_not_depend_on_what_another_gets(bench: Bench) -> None:
    for _ in range(3):
        await bench.write(asset("x", SOUTH))
        await bench.beat()
    await bench.write(asset("a"))

    assert (await bench.beat())[NORTH].created == NOON


async def test_r13_a_request_gets_the_full_list_as_it_is_now(bench: Bench) -> None:
    await bench.write(*(asset(f"a{number:04d}") for number in range(1500)))
    await bench.beat()

    document = await answered(bench, response("A95"))

    assert isinstance(document, RefMarketDocument)
    assert (document.process, document.mrid, len(document.series)) == ("A39", "f" * 32, 1500)


async def test_a_request_may_name_points_and_gets_999_when_nothing_matches(bench: Bench) -> None:
    await bench.write(asset("a"))
    await bench.beat()

    matching = await answered(bench, response("A95", resources=(Identifier("NDK:point"),)))
    nothing = await answered(bench, response("A95", resources=(Identifier("NDK:elsewhere"),)))

    assert assets_of(matching) == ["a"]
    assert isinstance(nothing, AcknowledgementMarketDocument)
    assert nothing.reasons[0].code == "999"


async def test_r13_a_request_for_schedules_gets_those_that_stand_and_have_not_passed(bench: Bench) -> None:
    past = plan("past", start=NOON - timedelta(days=1))
    await bench.write(plan("gone"), plan("kept"), past, plan("gone", withdrawn=True))
    await bench.beat()

    document = await answered(bench, response("A67"))

    assert isinstance(document, GlMarketDocument)
    assert [series.resource for series in document.series] == ["NDK:kept"]


async def test_a_request_for_schedules_can_name_a_span_and_assets(bench: Bench) -> None:
    tomorrow = NOON + timedelta(days=1)
    await bench.write(plan("one"), plan("two"), plan("late", start=tomorrow))
    await bench.beat()

    span = Interval(NOON, NOON + timedelta(hours=2))
    by_span = await answered(bench, response("A67", interval=span))
    by_asset = await answered(bench, response("A67", resources=(Identifier("NDK:two"),)))

    assert isinstance(by_span, GlMarketDocument)
    assert [series.resource for series in by_span.series] == ["NDK:one", "NDK:two"]
    assert isinstance(by_asset, GlMarketDocument)
    assert [series.resource for series in by_asset.series] == ["NDK:two"]


async def test_a_brp_is_addressed_in_its_own_role(bench: Bench) -> None:
    row = AgrLimit(
        mrid="c" * 32,
        revision=1,
        kind=LimitKind.FORESEEN,
        direction=Direction.BOTH,
        interval=Interval(NOON, NOON + timedelta(hours=1)),
    )
    sending = Sending(business_type="TPS-FORESEEN", document="c" * 32, expires=row.interval.end, urgent=True)

    document = await answered(bench, Row(view=AGR_LIMITS, audience=CHARLIE, key=row.mrid, payload=row, send=sending))

    assert document.receiver.role == "A08"


async def test_what_cannot_be_rendered_is_left_out_and_the_rest_is_rendered(bench: Bench) -> None:
    stranger = Identifier("A01:45X-AGR-ALPHA--N")
    await bench.write(asset("x", stranger), asset("a"))
    await bench.dispatch.gather()
    messages = await bench.leaving()

    bodies = await bench.dispatch.render(messages)

    assert {message.receiver for message in messages if message.message_id in bodies} == {NORTH}
    assert len(messages) == 2


async def test_r27_an_undelivered_unforeseen_limit_alarms_the_operator_once(bench: Bench) -> None:
    raised: list[tuple[str, str]] = []

    async def alarm(subject: str, text: str) -> None:
        raised.append((subject, text))
        await bench.write(Row(view=ALARMS, audience=OPERATOR, key=subject, payload=Alarm(subject=subject, text=text)))

    sending = Sending(business_type="TPS-UNFORESEEN", document="c" * 32, expires=NOON + timedelta(days=1), urgent=True)
    await bench.write(Row(view=AGR_LIMITS, audience=CHARLIE, key="c" * 32, payload="", send=sending))
    for seconds in (59, 2, 60, 3600):
        await bench.clock.advance(seconds)
        await bench.dispatch.raise_alarms(60, alarm)

    ((subject, text),) = raised
    assert subject.startswith("undelivered/")
    assert "not delivered" in text
    assert "c" * 32 in text
