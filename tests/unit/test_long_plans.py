"""Plans that fill more than one document: all arrive, absent ones go, a late, lost or double part is harmless (R13)."""

from datetime import timedelta

import pytest

from documents import registry
from documents.model import GlMarketDocument
from documents.packing import packed
from documents.parts import Span
from documents.values import Identifier, Interval, Mrid, Period, Point
from gateways.commands import Ask, Receive
from gateways.dso.rows import PlanOnGrid
from hub.mades.codec import DEFAULT_LIMITS
from hub.ports import Row, Sending
from hub.rows import DSO_SCHEDULES, RESPONSES, DsoSchedule, Response
from hub.values import Role
from tests.gateway_bench import Bench as Gateway
from tests.unit.test_dispatch import NOON, NORTH, Bench, participant

pytestmark = pytest.mark.slow

TWO_YEARS = 2 * 365 * 96
"""Quarters of an hour."""


@pytest.fixture
async def hub() -> Bench:
    hub = Bench()
    await hub.write(participant(NORTH, Role.DSO))
    return hub


def plan(number: int, *, steps: int, changes: int, withdrawn: bool = False) -> Row:
    """A plan in quarters of an hour that changes in each of its first steps."""
    span = Interval(NOON, NOON + timedelta(minutes=15) * steps)
    points = tuple(Point(position, -1_000_000 - position) for position in range(1, changes + 1))
    resource, series = Identifier(f"NDK:a{number:04}"), f"{number:032}"
    periods = () if withdrawn else (Period(span, "PT15M", points),)
    payload = DsoSchedule(series=series, resource=resource, curve=packed(periods), withdrawn=withdrawn)
    return Row(view=DSO_SCHEDULES, audience=NORTH, key=series, payload=payload, group=resource, valid=span)


def owed(number: int, *, after: int | None, upto: int | None, resources: tuple[Identifier, ...] = ()) -> Row:
    """What the hub owes for one part of a list of plans; the last is the answer."""
    span = ("" if after is None else f"{after:032}", "" if upto is None else f"{upto:032}")
    mrid, kind = f"{9000 + number:032}", "TPS-SCHEDULES" if upto else "TPS-RESPONSE"
    answer = Response(mrid=mrid, request="q1", subject="A67", role="A50", span=Span(*span), resources=resources)
    sending = Sending(business_type=kind, document=mrid, expires=NOON + timedelta(minutes=15))
    return Row(view=RESPONSES, audience=NORTH, key=mrid, payload=answer, send=sending)


async def leaving(hub: Bench) -> list[GlMarketDocument]:
    """What leaves, each within the limits of the transport and of the reader."""
    messages = await hub.leaving()
    bodies = await hub.dispatch.render(messages)
    await hub.store.outbox.transported([message.message_id for message in messages], now=hub.clock.now())
    assert all(len(bodies[message.message_id]) < DEFAULT_LIMITS.max_content_bytes for message in messages)
    found = [registry.read(bodies[message.message_id]) for message in messages]
    return [document for document in found if isinstance(document, GlMarketDocument)]


async def answers(hub: Bench, *rows: Row) -> list[GlMarketDocument]:
    await hub.write(*rows)
    return await leaving(hub)


def named(documents: list[GlMarketDocument]) -> list[list[int]]:
    return [[int(series.mrid) for series in document.series] for document in documents]


def standing(gateway: Gateway) -> set[int]:
    rows = gateway.brain.known.all("schedules", PlanOnGrid).values()
    return {int(row.series) for row in rows if not row.withdrawn}


def answered(gateway: Gateway, document: GlMarketDocument, request: Mrid) -> None:
    gateway.do(Receive(document=document, message_id="m", response=True, request=request))


async def test_r12_a_push_of_plans_is_cut_by_their_points_in_their_order_and_loses_none(hub: Bench) -> None:
    short = [plan(number, steps=96, changes=96) for number in range(60)]
    long = [plan(number, steps=TWO_YEARS, changes=TWO_YEARS) for number in (60, 61)]
    full = [plan(number, steps=1_000, changes=1) for number in range(62, 180)]
    await hub.write(*short, *long, *full)
    await hub.dispatch.gather()

    documents = await leaving(hub)

    assert named(documents) == [[*range(60)], [60], [61], [*range(62, 162)], [*range(162, 180)]]
    assert [len(document.series[0].periods[0].points) for document in documents] == [96, TWO_YEARS, TWO_YEARS, 1, 1]
    assert [document.created - NOON for document in documents] == [timedelta(seconds=n) for n in range(5)]


async def test_r13_a_list_of_plans_in_parts_tells_all_and_removes_what_is_absent_and_nothing_else(hub: Bench) -> None:
    gateway = Gateway.dso()
    await hub.write(*(plan(number, steps=96, changes=4) for number in range(9)))
    await hub.dispatch.gather()
    for document in await leaving(hub):
        gateway.receive(document)
    gone = (0, 4, 8)
    await hub.write(*(plan(number, steps=96, changes=4, withdrawn=True) for number in gone))
    gateway.now = NOON + timedelta(minutes=1)
    await hub.clock.advance(60)
    gateway.send(Ask(mrid="q1", subject="A67"))

    spans = ((None, 2), (2, 5), (5, None))
    first, second, last = await answers(hub, *(owed(n, after=a, upto=u) for n, (a, u) in enumerate(spans)))
    assert named([first, second, last]) == [[1, 2], [3, 5], [6, 7]]

    answered(gateway, last, "q1")
    assert standing(gateway) == {*range(9)} - {8}, "the answer speaks of its own span only"
    gateway.receive(first)
    gateway.receive(first)
    assert standing(gateway) == {*range(9)} - {0, 8}, "the lost part has removed nothing"
    gateway.receive(second)
    assert standing(gateway) == {*range(9)} - set(gone)


async def test_r13_a_part_without_plans_names_the_one_at_its_end_so_that_the_others_go(hub: Bench) -> None:
    gateway = Gateway.dso()
    await hub.write(*(plan(number, steps=96, changes=4) for number in range(4)))
    await hub.dispatch.gather()
    for document in await leaving(hub):
        gateway.receive(document)
    await hub.write(*(plan(number, steps=96, changes=4, withdrawn=True) for number in (1, 2, 3)))
    gateway.now = NOON + timedelta(minutes=1)
    await hub.clock.advance(60)

    for document in await answers(hub, owed(1, after=0, upto=2), owed(2, after=2, upto=None)):
        gateway.receive(document)

    assert standing(gateway) == {0}


async def test_r13_an_answer_about_some_plans_removes_none_whatever_part_it_is(hub: Bench) -> None:
    gateway = Gateway.dso()
    await hub.write(*(plan(number, steps=96, changes=4) for number in range(6)))
    await hub.dispatch.gather()
    for document in await leaving(hub):
        gateway.receive(document)
    gateway.now = NOON + timedelta(minutes=1)
    await hub.clock.advance(60)
    some = (Identifier("NDK:a0001"), Identifier("NDK:a0004"))

    parts = await answers(hub, owed(1, after=None, upto=3, resources=some), owed(2, after=3, upto=None, resources=some))
    for document in parts:
        gateway.receive(document)

    assert named(parts) == [[1], [4]]
    assert standing(gateway) == {*range(6)}


async def test_r13_plans_that_grew_until_the_answer_was_written_shorten_what_it_is_about(hub: Bench) -> None:
    gateway = Gateway.dso()
    await hub.write(*(plan(number, steps=96, changes=4) for number in range(4)))
    await hub.dispatch.gather()
    for document in await leaving(hub):
        gateway.receive(document)
    await hub.write(*(plan(number, steps=TWO_YEARS, changes=TWO_YEARS) for number in (1, 2, 3)))
    gateway.now = NOON + timedelta(minutes=1)
    await hub.clock.advance(60)
    gateway.send(Ask(mrid="q1", subject="A67"))

    (answer,) = await answers(hub, owed(1, after=None, upto=None))
    answered(gateway, answer, "q1")

    assert named([answer]) == [[0, 1, 2]]
    assert standing(gateway) == {*range(4)}
