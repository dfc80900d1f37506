"""What an aggregator's gateway makes of its schedules and of the limits it is told (F6-F8)."""

from datetime import datetime, timedelta

from hypothesis import given, strategies

from documents.codes import action_reason
from documents.model import (
    AcknowledgementMarketDocument,
    AssetReference,
    GlMarketDocument,
    UnavailabilityMarketDocument,
    UnavailabilitySeries,
)
from documents.values import Identifier, Interval, Reason
from gateways.agr.commands import ChangeSchedule, Plan, ReplaceSchedule, SubmitSchedule, WithdrawSchedule
from gateways.agr.rows import ReceivedLimit
from gateways.agr.translate import is_active
from gateways.agr.translate import limit as shown
from gateways.commands import Ask, Collect
from gateways.reading import Found
from hub.ports import Item
from tests.gateway_bench import A1, A2, ALPHA, HUB, NOON, Bench, flat, identity, left

A3 = Identifier("NDK:A3")
TOMORROW = NOON + timedelta(days=1)


def plan(asset: Identifier, quantity: int = 100) -> Plan:
    return Plan(asset=asset, curve="A01", periods=(flat(TOMORROW, 2, quantity),))


def received(revision: int = 1, *, mrid: str = "L1", status: str | None = None) -> UnavailabilityMarketDocument:
    interval = Interval(TOMORROW, TOMORROW + timedelta(hours=2))
    share = UnavailabilitySeries(
        mrid="1",
        business_type="A53",
        interval=interval,
        assets=(AssetReference(A1),),
        periods=(flat(TOMORROW, 2, 1000 * revision),),
    )
    return UnavailabilityMarketDocument(
        mrid=mrid,
        revision=revision,
        type="A80",
        created=NOON,
        sender=HUB,
        receiver=ALPHA,
        interval=interval,
        status=status,
        series=(share,),
        reasons=(Reason("B19"),),
    )


def known(bench: Bench, mrid: str = "L1") -> UnavailabilityMarketDocument:
    document: UnavailabilityMarketDocument = bench.row("limits", mrid).document
    return document


def as_read(document: UnavailabilityMarketDocument) -> Found[ReceivedLimit]:
    item = Item(view="limits", audience=ALPHA.id, key=document.mrid, sequence=7, payload=b"", issued=NOON, position=1)
    return Found(ReceivedLimit(document=document), item)


def test_r18_a_limit_becomes_a_row_that_says_when_it_was_issued_and_when_it_holds() -> None:
    bench = Bench.agr()

    (row,) = bench.receive(received())

    assert (row.view, row.key, row.issued, row.valid) == ("limits", "L1", NOON, received().interval)


def test_r19_an_older_revision_that_comes_late_never_replaces_a_newer_one() -> None:
    bench = Bench.agr()
    bench.receive(received(2))

    assert bench.receive(received(1)) == []
    assert known(bench).revision == 2


@given(strategies.lists(strategies.integers(1, 5), min_size=1))
def test_r18_whatever_the_order_the_highest_revision_stands_and_the_feed_only_climbs(revisions: list[int]) -> None:
    bench = Bench.agr()
    for revision in revisions:
        bench.receive(received(revision))

    told = [row.payload.document.revision for row in bench.shown if row.view == "limits"]
    assert known(bench).revision == max(revisions)
    assert told == sorted(set(told))


def test_r19_a_cancel_marks_the_limit_and_keeps_its_content() -> None:
    bench = Bench.agr()
    bench.receive(received())

    bench.receive(received(2, status="A09"))

    told = shown(as_read(known(bench)), NOON, identity(ALPHA))
    assert (told.status, told.shares[0].asset) == ("cancelled", "A1")


def test_r22_a_limit_is_active_until_its_end_and_a_future_one_is_active_too() -> None:
    limit = received()

    assert is_active(limit, NOON)
    assert is_active(limit, limit.interval.end - timedelta(seconds=1))
    assert not is_active(limit, limit.interval.end)
    assert not is_active(received(status="A13"), NOON)


def test_r32_status_is_that_of_the_moment_it_is_read() -> None:
    limit = received()

    def status(at: datetime) -> str:
        return shown(as_read(limit), at, identity(ALPHA)).status

    assert (status(NOON), status(limit.interval.end)) == ("active", "ended")


def test_f7_an_unforeseen_limit_is_shown_with_its_actions() -> None:
    interval = Interval(NOON, NOON + timedelta(hours=1))
    stop = UnavailabilitySeries(
        mrid="1",
        business_type="A54",
        interval=interval,
        assets=(AssetReference(A1),),
        reasons=(action_reason("STOP"),),
    )
    document = UnavailabilityMarketDocument(
        mrid="U1",
        revision=1,
        type="A53",
        created=NOON,
        sender=HUB,
        receiver=ALPHA,
        interval=interval,
        series=(stop,),
    )

    told = shown(as_read(document), NOON, identity(ALPHA))

    assert (told.kind, told.direction, told.shares) == ("unforeseen", "both", ())
    assert [(order.asset, order.action) for order in told.orders] == [("A1", "STOP")]


def test_r29_a_limit_is_acknowledged_once_when_it_is_collected_and_not_before() -> None:
    bench = Bench.agr()
    arrived = bench.receive(received())

    first = bench.do(Collect(limits=(("L1", 1),)))
    again = bench.do(Collect(limits=(("L1", 1), ("L1", 1))))

    (answer,) = [row.payload.document for row in first if row.send]
    assert isinstance(answer, AcknowledgementMarketDocument)
    assert (answer.received.mrid, answer.received.revision, answer.reasons[0].code) == ("L1", 1, "A01")
    assert (left(arrived), left(again)) == ([], [])


def test_r29_each_revision_is_collected_by_itself_and_an_overtaken_one_never_is() -> None:
    bench = Bench.agr()
    bench.receive(received(1))
    bench.receive(received(2))

    assert left(bench.do(Collect(limits=(("L1", 1), ("unknown", 1))))) == []
    assert len(left(bench.do(Collect(limits=(("L1", 2),))))) == 1


def test_r13_limits_that_were_asked_for_become_rows_and_answer_the_request() -> None:
    bench = Bench.agr()
    bench.send(Ask(mrid="q1", subject="A53"))

    bench.receive(received(), response=True)
    bench.receive(received(mrid="L2"), response=True)

    assert bench.row("messages", "q1/000").verdict == "accepted"
    assert known(bench, "L2").mrid == "L2"


def test_f8_a_schedule_leaves_with_its_signs_and_one_series_per_asset() -> None:
    bench = Bench.agr()

    document = bench.send(SubmitSchedule(mrid="S1", plans=(plan(A1, 100), plan(A2, -50))))

    assert isinstance(document, GlMarketDocument)
    assert (document.revision, document.interval) == (1, Interval(TOMORROW, TOMORROW + timedelta(hours=2)))
    assert [(s.mrid, s.resource, s.periods[0].points[0].quantity) for s in document.series] == [
        ("1", A1, 100),
        ("2", A2, -50),
    ]


def test_r24_put_replaces_the_whole_and_withdraws_what_is_left_out() -> None:
    bench = Bench.agr()
    bench.accept(bench.send(SubmitSchedule(mrid="S1", plans=(plan(A1), plan(A2)))))

    document = bench.send(ReplaceSchedule(mrid="S1", plans=(plan(A2, 7), plan(A3))))

    assert isinstance(document, GlMarketDocument)
    assert document.revision == 2
    assert {(s.mrid, s.resource, s.cancelled, bool(s.periods)) for s in document.series} == {
        ("2", A2, False, True),
        ("3", A3, False, True),
        ("1", A1, True, False),
    }


def test_r24_patch_names_only_the_assets_it_changes() -> None:
    bench = Bench.agr()
    bench.accept(bench.send(SubmitSchedule(mrid="S1", plans=(plan(A1), plan(A2)))))

    document = bench.send(ChangeSchedule(mrid="S1", plans=(plan(A2, 7),)))
    bench.accept(document)

    assert isinstance(document, GlMarketDocument)
    assert [s.resource for s in document.series] == [A2]
    row = bench.row("schedules", "S1")
    assert [(p.series.resource, p.state, p.series.periods[0].points[0].quantity) for p in row.series] == [
        (A1, "accepted", 100),
        (A2, "accepted", 7),
    ]


def test_r24_delete_withdraws_all_or_the_named_assets() -> None:
    bench = Bench.agr()
    bench.accept(bench.send(SubmitSchedule(mrid="S1", plans=(plan(A1), plan(A2), plan(A3)))))

    some = bench.send(WithdrawSchedule(mrid="S1", assets=(A1,)))
    bench.accept(some)
    rest = bench.send(WithdrawSchedule(mrid="S1"))
    bench.accept(rest)

    assert isinstance(some, GlMarketDocument)
    assert isinstance(rest, GlMarketDocument)
    assert ([s.resource for s in some.series], [s.resource for s in rest.series]) == ([A1], [A2, A3])
    assert [planned.state for planned in bench.row("schedules", "S1").series] == ["withdrawn"] * 3
    assert bench.do(WithdrawSchedule(mrid="S1")) == []


def test_r23_a_refused_series_brings_back_the_accepted_plan_and_the_others_change() -> None:
    bench = Bench.agr()
    bench.accept(bench.send(SubmitSchedule(mrid="S1", plans=(plan(A1), plan(A2)))))

    bench.refuse_series(bench.send(ChangeSchedule(mrid="S1", plans=(plan(A1, 7), plan(A2, 7)))), "1", "A42")

    first, second = bench.row("schedules", "S1").series
    assert (first.series.periods[0].points[0].quantity, first.reasons[0].code) == (100, "A42")
    assert second.series.periods[0].points[0].quantity == 7


def test_the_answer_to_an_older_revision_leaves_a_newer_one_pending() -> None:
    bench = Bench.agr()
    first = bench.send(SubmitSchedule(mrid="S1", plans=(plan(A1),)))
    second = bench.send(ReplaceSchedule(mrid="S1", plans=(plan(A1, 7),)))

    bench.accept(first)
    between = bench.row("schedules", "S1").series[0].state
    bench.accept(second)

    assert (between, bench.row("schedules", "S1").series[0].state) == ("pending", "accepted")


def test_a_schedule_that_exists_cannot_be_sent_as_new_and_an_unknown_one_not_changed() -> None:
    bench = Bench.agr()
    bench.send(SubmitSchedule(mrid="S1", plans=(plan(A1),)))

    assert bench.do(SubmitSchedule(mrid="S1", plans=(plan(A2),))) == []
    assert bench.do(ReplaceSchedule(mrid="S2", plans=(plan(A2),))) == []
