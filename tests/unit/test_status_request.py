"""Requests for data (F5, F9, R13, R26)."""

from datetime import timedelta

import pytest

from documents.parts import Span
from documents.values import Identifier, Interval, Reason
from hub.ports import Row
from hub.rows import ACKNOWLEDGEMENTS, AGR_LIMITS, DSO_SCHEDULES, RESPONSES
from tests.hub_world import ALPHA, BRAVO, NOON, NORTH, SOUTH, World, asset, codes_of, point, span, watts_of


@pytest.fixture
def world() -> World:
    world = World()
    world.claim(NORTH, "n1", "n2")
    world.claim(SOUTH, "s1")
    world.register(ALPHA, "a1", "n1", produces=1000)
    world.plan(ALPHA, "plan", 1, {"a1": 5}, interval=span(1, 3))
    return world


def answers(
    world: World, asker: Identifier, subject: str, *ids: Identifier, interval: Interval | None = None
) -> list[Row]:
    """The rows one request causes for its asker."""
    said = len(world.rows)
    world.ask(asker, subject, *ids, interval=interval)
    return [row for row in world.rows[said:] if row.audience == asker]


def has_data(rows: list[Row]) -> bool:
    """Whether the only answer is data; else it is 999."""
    (row,) = rows
    if row.view == RESPONSES:
        return True
    assert row.view == ACKNOWLEDGEMENTS
    assert row.payload.reasons == (Reason("999", "No matching data found"),)
    return False


def test_r13_a_dso_that_asks_for_its_assets_is_owed_one_response(world: World) -> None:
    (row,) = answers(world, NORTH, "A95")

    assert row.view == RESPONSES
    assert (row.payload.subject, row.payload.role, row.payload.mrid) == ("A95", "A50", row.key)
    assert row.send is not None
    assert (row.send.business_type, row.send.document, row.send.urgent) == ("TPS-RESPONSE", row.payload.request, False)
    assert row.send.expires == NOON + timedelta(minutes=15)


def test_r13_a_long_list_is_owed_in_parts_whose_spans_leave_no_gap_and_the_last_is_the_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.projections.responses.PART_ASSETS", 2)
    for name in ("a2", "a3", "a4", "a5"):
        world.register(ALPHA, name, "n1", produces=1000)

    first, second, last = answers(world, NORTH, "A95")

    spans = [row.payload.span for row in (first, second, last)]
    assert spans == [Span("", asset("a2")), Span(asset("a2"), asset("a4")), Span(asset("a4"), "")]
    assert [row.send.business_type for row in (first, second, last) if row.send] == [
        "TPS-ASSETS",
        "TPS-ASSETS",
        "TPS-RESPONSE",
    ]
    assert len({row.key for row in (first, second, last)}) == 3


def test_r13_a_long_list_of_some_points_is_owed_in_parts_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.projections.responses.PART_ASSETS", 2)
    for name, at in (("a2", "n2"), ("a3", "n1"), ("a4", "n1"), ("a5", "s1")):
        world.register(ALPHA, name, at, produces=1000)

    first, last = answers(world, NORTH, "A95", point("n1"), point("s1"), point("n1"))

    assert [row.payload.span for row in (first, last)] == [Span("", asset("a3")), Span(asset("a3"), "")]
    assert first.payload.resources == (point("n1"), point("s1"), point("n1"))
    assert [row.send.business_type for row in (first, last) if row.send] == ["TPS-ASSETS", "TPS-RESPONSE"]


def test_r13_plans_that_fill_more_than_one_document_are_owed_in_parts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans of the series' mRIDs, in whose order the rows are kept; a plan of two hours counts 2,200 bytes at most."""
    monkeypatch.setattr("hub.projections.responses.PART_BYTES", 5_000)
    names = ("a2", "a3", "a4", "a5")
    for name in names:
        world.register(ALPHA, name, "n1", produces=1000)
    world.plan(ALPHA, "more", 1, dict.fromkeys(names, 5), interval=span(1, 3))
    world.plan(ALPHA, "later", 1, {"a5": 5}, interval=span(30, 31))

    keys = sorted(row.key for row in world.feed(DSO_SCHEDULES, NORTH))
    rows = answers(world, NORTH, "A67")

    assert [row.payload.span for row in rows] == [
        Span("", keys[1]),
        Span(keys[1], keys[3]),
        Span(keys[3], ""),
    ]
    assert [row.send.business_type for row in rows if row.send] == ["TPS-SCHEDULES", "TPS-SCHEDULES", "TPS-RESPONSE"]
    assert [row.send.document == row.payload.request for row in rows if row.send] == [False, False, True]
    assert len(answers(world, NORTH, "A67", asset("a1"), asset("a2"))) == 1
    assert len(answers(world, NORTH, "A67", interval=span(30, 32))) == 1


@pytest.mark.parametrize(
    ("asker", "points", "found"),
    [
        (NORTH, (), True),
        (NORTH, ("n1",), True),
        (NORTH, ("n2", "n1"), True),
        (NORTH, ("n2",), False),
        (SOUTH, (), False),
        (SOUTH, ("n1",), False),
    ],
)
def test_r13_r26_assets_or_999(world: World, asker: Identifier, points: tuple[str, ...], found: bool) -> None:
    assert has_data(answers(world, asker, "A95", *(point(one) for one in points))) is found


@pytest.mark.parametrize(
    ("asker", "assets", "interval", "found"),
    [
        (NORTH, (), None, True),
        (NORTH, ("a1",), span(2, 9), True),
        (NORTH, ("a2",), None, False),
        (NORTH, (), span(3, 9), False),
        (SOUTH, (), None, False),
        (SOUTH, ("a1",), None, False),
    ],
)
def test_r13_r26_schedules_or_999(
    world: World, asker: Identifier, assets: tuple[str, ...], interval: Interval | None, found: bool
) -> None:
    rows = answers(world, asker, "A67", *(asset(one) for one in assets), interval=interval)

    assert has_data(rows) is found


def test_f9_schedules_that_are_over_can_be_asked_for_by_their_time_only(world: World) -> None:
    world.now = span(5, 6).start

    assert not has_data(answers(world, NORTH, "A67"))
    assert has_data(answers(world, NORTH, "A67", interval=span(0, 4)))


def test_f9_a_dso_keeps_the_history_of_an_asset_that_left(world: World) -> None:
    world.now = span(5, 6).start
    world.register(ALPHA, "a1", "s1", produces=1000)

    assert has_data(answers(world, NORTH, "A67", interval=span(0, 4)))
    assert not has_data(answers(world, SOUTH, "A67", interval=span(0, 4)))


def test_r25_a_dso_without_any_schedules_gets_999(world: World) -> None:
    world.plan(ALPHA, "plan", 2, {"a1": None})

    assert not has_data(answers(world, NORTH, "A67"))


def test_r13_an_agr_that_asks_gets_each_of_its_limits_again_as_it_stands(world: World) -> None:
    world.announce(NORTH, "one", 1, ["a1"], 100)
    world.announce(NORTH, "one", 2, ["a1"], 90)
    world.announce(NORTH, "two", 1, ["a1"], 50, interval=span(0, 1))
    world.announce(NORTH, "gone", 1, ["a1"], 20, interval=span(5, 6))
    world.cancel(NORTH, "gone", 2)
    pushed = {row.key: row for row in world.feed(AGR_LIMITS, ALPHA)}
    world.now = span(1, 2).start + timedelta(minutes=1)

    again = answers(world, ALPHA, "A53")

    assert sorted((row.payload.revision, row.payload.cancelled, *watts_of(row.payload).values()) for row in again) == [
        (2, False, 90),
        (2, True, 20),
    ], "the ended one is left out; a cancelled one is told, or a restored gateway would never learn"
    for row in again:
        assert row.payload == pushed[row.key].payload
        assert row.issued == pushed[row.key].issued == NOON
        assert row.send is not None
        assert (row.send.business_type, row.send.document, row.send.urgent) == ("TPS-RESPONSE", row.key, False)


def test_r13_an_agr_without_limits_gets_999(world: World) -> None:
    world.announce(NORTH, "one", 1, ["a1"], 100)

    assert not has_data(answers(world, BRAVO, "A53"))


def test_r13_asking_for_something_else_is_refused(world: World) -> None:
    assert codes_of(world.ask(NORTH, "A65")) == ["A02", "A59"]


def test_r19_a_repeated_request_is_answered_anew_under_the_same_name(world: World) -> None:
    world.ask(NORTH, "A95", mrid="ask", content="x")
    world.ask(NORTH, "A95", mrid="ask", content="x")
    world.ask(SOUTH, "A95", mrid="ask", content="y")
    world.ask(SOUTH, "A95", mrid="ask", content="y")

    first, again = world.feed(RESPONSES, NORTH)
    assert (first.key, first.payload) == (again.key, again.payload)
    empty, still = world.feed(ACKNOWLEDGEMENTS, SOUTH)[-2:]
    assert empty.payload == still.payload


def test_r19_a_repeated_request_for_limits_sends_them_again(world: World) -> None:
    world.announce(NORTH, "one", 1, ["a1"], 100)
    for _ in range(2):
        world.ask(ALPHA, "A53", mrid="ask", content="x")

    assert [row.payload.revision for row in world.feed(AGR_LIMITS, ALPHA)] == [1, 1, 1]
