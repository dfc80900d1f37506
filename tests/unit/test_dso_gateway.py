"""What a grid operator's gateway makes of its limits and of what the hub tells of its grid (F5-F7, F9)."""

from datetime import datetime, timedelta

from hypothesis import given, strategies
from msgspec.structs import replace

from documents.codes import action_of, action_reason
from documents.model import (
    AssetReference,
    GlMarketDocument,
    GlSeries,
    RefMarketDocument,
    RefSeries,
    UnavailabilityMarketDocument,
    UnavailabilitySeries,
)
from documents.parts import Part, Span, described
from documents.values import Identifier, Interval, Period, Reason
from gateways.commands import Ask, Remind
from gateways.dso.commands import CancelLimit, Content, SendLimit, UpdateLimit
from gateways.dso.rows import AssetOnGrid, PlanOnGrid
from tests.gateway_bench import A1, A2, HUB, NOON, NORTH, P1, P2, Bench, flat, left

SOON = NOON + timedelta(hours=1)
END = NOON + timedelta(hours=5)
SPAN = Interval(SOON, END)


def foreseen(quantity: int = 1000) -> Content:
    series = UnavailabilitySeries(
        mrid="1",
        business_type="A53",
        interval=SPAN,
        assets=(AssetReference(A1), AssetReference(A2)),
        periods=(flat(SOON, 4, quantity),),
    )
    return Content(type="A80", start=SOON, end=END, series=(series,), reasons=(Reason("B19", "works"),))


def unforeseen(*, start: datetime | None = None, end: datetime = END) -> Content:
    series = tuple(
        UnavailabilitySeries(
            mrid=str(number),
            business_type="A54",
            interval=SPAN,
            assets=(AssetReference(asset),),
            reasons=(action_reason("STOP"),),
        )
        for number, asset in enumerate((A1, A2), start=1)
    )
    return Content(type="A53", start=start, end=end, series=series, reasons=(Reason("B18"),))


def on_grid(asset: Identifier, point: Identifier = P1, *, gone: bool = False, power: int = 1000) -> RefSeries:
    return RefSeries(
        resource=asset,
        psr_type="A04",
        cancelled=gone,
        owner=HUB.id,
        start_lifetime=NOON.date(),
        max_production=power,
        specific=() if gone else (point,),
    )


def told(mrid: str, *series: RefSeries, at: datetime, process: str = "A37") -> RefMarketDocument:
    return RefMarketDocument(mrid=mrid, process=process, sender=HUB, receiver=NORTH, created=at, series=series)


def plans(mrid: str, *series: tuple[str, Identifier, tuple[Period, ...]], at: datetime = NOON) -> GlMarketDocument:
    content = tuple(GlSeries(mrid=m, resource=r, periods=p, cancelled=not p) for m, r, p in series)
    return GlMarketDocument(
        mrid=mrid, revision=1, sender=HUB, receiver=NORTH, created=at, interval=SPAN, series=content
    )


def assets(bench: Bench) -> set[str]:
    return {row.resource for row in bench.brain.known.all("assets", AssetOnGrid).values() if not row.withdrawn}


def sent_limit(bench: Bench, content: Content, mrid: str = "L1") -> UnavailabilityMarketDocument:
    document = bench.send(SendLimit(mrid=mrid, content=content))
    assert isinstance(document, UnavailabilityMarketDocument)
    return document


def test_f6_a_foreseen_limit_leaves_as_an_outage_document() -> None:
    bench = Bench.dso()

    document = sent_limit(bench, foreseen())

    assert (document.type, document.process, document.revision, document.interval) == ("A80", "A26", 1, SPAN)
    assert document.series[0].interval == SPAN
    (row,) = [row for row in bench.shown if row.send]
    assert row.send
    assert (row.audience, row.send.business_type, row.send.urgent) == (HUB.id, "TPS-FORESEEN", True)
    assert row.send.expires == END


def test_r15_an_unforeseen_limit_starts_now_and_has_one_series_per_asset() -> None:
    bench = Bench.dso()
    bench.later(seconds=42)

    document = sent_limit(bench, unforeseen())

    assert document.interval == Interval(NOON, END)
    assert [(s.assets[0].resource, action_of(s)) for s in document.series] == [(A1, "STOP"), (A2, "STOP")]


def test_r15_an_update_of_an_unforeseen_limit_keeps_its_start() -> None:
    bench = Bench.dso()
    bench.accept(sent_limit(bench, unforeseen()))
    bench.later(hours=2)

    update = bench.send(UpdateLimit(mrid="L1", content=unforeseen(end=END + timedelta(hours=3))))

    assert isinstance(update, UnavailabilityMarketDocument)
    assert (update.revision, update.interval) == (2, Interval(NOON, END + timedelta(hours=3)))


def test_r19_an_update_counts_on_and_a_refused_revision_is_not_used_again() -> None:
    bench = Bench.dso()
    bench.accept(sent_limit(bench, foreseen(1000)))
    bench.refuse(bench.send(UpdateLimit(mrid="L1", content=foreseen(2000))), "A04")
    between = bench.row("limits", "L1")

    third = bench.send(UpdateLimit(mrid="L1", content=foreseen(3000)))

    assert isinstance(third, UnavailabilityMarketDocument)
    assert third.revision == 3
    assert (between.state, between.document.revision, between.reasons[0].code) == ("accepted", 1, "A04")


def test_r19_a_cancel_repeats_the_last_content_with_a09() -> None:
    bench = Bench.dso()
    original = sent_limit(bench, foreseen())
    bench.accept(original)

    cancel = bench.send(CancelLimit(mrid="L1"))
    bench.accept(cancel)

    assert isinstance(cancel, UnavailabilityMarketDocument)
    assert (cancel.revision, cancel.status, cancel.series) == (2, "A09", original.series)
    assert bench.row("limits", "L1").state == "cancelled"
    assert bench.do(UpdateLimit(mrid="L1", content=foreseen())) == []
    assert bench.do(CancelLimit(mrid="L1")) == []


def test_r15_a_partly_refused_order_says_which_assets_and_stands_for_the_others() -> None:
    bench = Bench.dso()

    bench.refuse_series(sent_limit(bench, unforeseen()), "2", "A64")

    assert bench.row("limits", "L1").state == "partlyAccepted"
    message = bench.row("messages", "L1/001")
    assert (message.accepted, [r.id for r in message.rejected]) == ((A1,), [A2])


def test_r15_the_dso_is_reminded_once_before_an_order_ends_and_again_after_an_update() -> None:
    bench = Bench.dso()
    bench.accept(sent_limit(bench, unforeseen()))
    early = bench.do(Remind(ahead_s=900))
    bench.now = END - timedelta(minutes=10)

    bench.do(Remind(ahead_s=900))
    reminded = bench.row("limits", "L1").reminded
    again = bench.do(Remind(ahead_s=900))
    bench.accept(bench.send(UpdateLimit(mrid="L1", content=unforeseen(end=END + timedelta(hours=1)))))
    updated = bench.row("limits", "L1").reminded
    bench.now = END + timedelta(minutes=50)

    assert (early, reminded, again, updated) == ([], True, [], False)
    assert len(bench.do(Remind(ahead_s=900))) == 1


def test_r15_nobody_is_reminded_of_a_foreseen_a_cancelled_or_an_ended_limit() -> None:
    bench = Bench.dso()
    bench.accept(sent_limit(bench, foreseen(), "L1"))
    bench.accept(sent_limit(bench, unforeseen(), "L2"))
    bench.accept(bench.send(CancelLimit(mrid="L2")))
    bench.accept(sent_limit(bench, unforeseen(end=NOON + timedelta(minutes=30)), "L3"))
    bench.now = END - timedelta(minutes=1)

    assert bench.do(Remind(ahead_s=900)) == []


def test_f5_assets_are_acknowledged_at_once_and_become_rows() -> None:
    bench = Bench.dso()

    rows = bench.receive(told("d1", on_grid(A1), at=NOON))

    assert [row.key for row in rows if row.view == "assets"] == [A1]
    assert len(left(rows)) == 1


def test_r11_a_full_list_takes_away_what_it_does_not_name() -> None:
    bench = Bench.dso()
    bench.receive(told("d1", on_grid(A1), on_grid(A2), at=NOON))

    bench.receive(told("d2", on_grid(A2), at=NOON + timedelta(seconds=5), process="A39"))

    assert assets(bench) == {A2}
    assert bench.row("assets", A1).withdrawn


def test_r10_a_late_older_delta_never_brings_back_what_was_removed() -> None:
    bench = Bench.dso()
    bench.receive(told("d2", on_grid(A1), at=NOON + timedelta(seconds=1)))
    bench.receive(told("d3", on_grid(A1, gone=True), at=NOON + timedelta(seconds=2)))
    bench.receive(told("d9", on_grid(P2), at=NOON + timedelta(seconds=9), process="A39"))

    bench.receive(told("d1", on_grid(A1), on_grid(A2), at=NOON))

    assert assets(bench) == {P2}


@given(strategies.permutations(range(6)), strategies.lists(strategies.booleans(), min_size=6, max_size=6))
def test_r10_deltas_end_in_the_same_state_in_whatever_order_they_come(order: list[int], gone: list[bool]) -> None:
    bench = Bench.dso()
    for number in order:
        document = told(
            f"d{number}", on_grid(A1, gone=gone[number], power=number + 1), at=NOON + timedelta(seconds=number)
        )
        bench.receive(document)

    assert (A1 in assets(bench)) is not gone[5]


def test_r32_a_list_that_says_nothing_new_adds_nothing_to_the_feed() -> None:
    bench = Bench.dso()
    bench.receive(told("d1", on_grid(A1), at=NOON))

    rows = bench.receive(told("d2", on_grid(A1), at=NOON + timedelta(days=1), process="A39"))

    assert [row for row in rows if row.view == "assets"] == []


def test_r13_nothing_found_empties_the_list_that_was_asked_for() -> None:
    bench = Bench.dso()
    bench.receive(told("d1", on_grid(A1, P1), on_grid(A2, P2), at=NOON))
    bench.later(minutes=1)

    bench.answer(bench.send(Ask(mrid="q1", subject="A95", resources=(P1,))), Reason("999", "No matching data found"))
    after_one_point = assets(bench)
    bench.answer(bench.send(Ask(mrid="q2", subject="A95")), Reason("999", "No matching data found"))

    assert (after_one_point, assets(bench)) == ({A2}, set())


def test_r13_a_response_is_not_acknowledged_and_answers_its_request() -> None:
    bench = Bench.dso()
    bench.send(Ask(mrid="q1", subject="A95"))

    rows = bench.receive(told("d1", on_grid(A1), at=NOON, process="A39"), response=True)

    assert left(rows) == []
    assert bench.row("messages", "q1/000").verdict == "accepted"


def test_f9_plans_keep_their_sign_and_a_withdrawn_one_is_marked() -> None:
    bench = Bench.dso()
    bench.receive(plans("g1", ("s1", A1, (flat(SOON, 4, -700),))))
    before = bench.row("schedules", "s1")

    bench.receive(plans("g2", ("s1", A1, ()), at=NOON + timedelta(seconds=2)))

    assert before.periods[0].points[0].quantity == -700
    assert bench.row("schedules", "s1").withdrawn


def test_r13_the_answer_to_an_unfiltered_question_is_all_there_is() -> None:
    bench = Bench.dso()
    bench.receive(plans("g1", ("s1", A1, (flat(SOON, 4, 1),)), ("s2", A2, (flat(SOON, 4, 2),))))
    bench.later(minutes=1)
    bench.send(Ask(mrid="q1", subject="A67"))

    bench.receive(plans("g2", ("s2", A2, (flat(SOON, 4, 2),)), at=bench.now), response=True)

    assert (bench.row("schedules", "s1").withdrawn, bench.row("schedules", "s2").withdrawn) == (True, False)


def test_r13_a_late_older_plan_does_not_come_back() -> None:
    bench = Bench.dso()
    bench.receive(plans("g2", ("s1", A1, ()), at=NOON + timedelta(seconds=2)))

    bench.receive(plans("g1", ("s1", A1, (flat(SOON, 4, 1),)), at=NOON))

    assert bench.row("schedules", "s1").withdrawn


def part(
    mrid: str, after: str, upto: str, *series: RefSeries, at: datetime, points: tuple[str, ...] = ()
) -> RefMarketDocument:
    first = replace(series[0], description=described(Part(Span(after, upto), points)))
    return told(mrid, first, *series[1:], at=at, process="A39")


def test_r11_a_part_of_a_long_list_removes_what_is_absent_from_its_own_span_only() -> None:
    bench = Bench.dso()
    low, mid, high = (Identifier(f"NDK:{name}") for name in ("a", "b", "c"))
    bench.receive(told("d1", on_grid(low), on_grid(mid), on_grid(high), at=NOON))

    bench.receive(part("p2", mid, "", on_grid(Identifier("NDK:d")), at=NOON + timedelta(seconds=2)))
    assert assets(bench) == {low, mid, "NDK:d"}

    bench.receive(part("p1", "", mid, on_grid(mid), at=NOON + timedelta(seconds=1)))
    assert assets(bench) == {mid, "NDK:d"}


def test_r10_a_late_part_neither_removes_nor_brings_back_what_was_told_after_it() -> None:
    bench = Bench.dso()
    old, new = Identifier("NDK:a"), Identifier("NDK:b")
    bench.receive(told("d1", on_grid(old, gone=True), on_grid(new), at=NOON + timedelta(seconds=5)))

    bench.receive(part("p1", "", new, on_grid(old), at=NOON + timedelta(seconds=1)))

    assert assets(bench) == {new}


def test_r11_a_part_of_a_filtered_list_removes_what_is_absent_at_the_points_it_names_even_without_its_question() -> (
    None
):
    bench = Bench.dso()
    low, mid, high = (Identifier(f"NDK:{name}") for name in ("a", "b", "c"))
    elsewhere = replace(on_grid(Identifier("NDK:aa")), specific=(P2,))
    bench.receive(told("d1", on_grid(low), on_grid(mid), on_grid(high), elsewhere, at=NOON))

    bench.receive(part("p1", "", mid, on_grid(mid), at=NOON + timedelta(seconds=1), points=(P1,)))

    assert assets(bench) == {mid, high, "NDK:aa"}


def listed(mrid: str, after: str, upto: str, *series: tuple[str, Identifier], at: datetime) -> GlMarketDocument:
    """A part of a list of plans."""
    document = plans(mrid, *((name, resource, (flat(SOON, 4, 1),)) for name, resource in series), at=at)
    first = replace(document.series[0], name=described(Part(Span(after, upto))))
    return replace(document, series=(first, *document.series[1:]))


def standing(bench: Bench) -> set[str]:
    rows = bench.brain.known.all("schedules", PlanOnGrid).values()
    return {row.series for row in rows if not row.withdrawn}


def test_r13_a_part_of_a_long_list_of_plans_removes_what_is_absent_from_its_own_span_only() -> None:
    bench = Bench.dso()
    told_before = (("s1", A1), ("s2", A1), ("s3", A2), ("s4", A2))
    bench.receive(plans("g1", *((name, asset, (flat(SOON, 4, 1),)) for name, asset in told_before)))
    bench.later(minutes=1)
    bench.send(Ask(mrid="q1", subject="A67"))

    bench.receive(listed("g3", "s2", "", ("s3", A2), at=bench.now + timedelta(seconds=1)), response=True)
    assert standing(bench) == {"s1", "s2", "s3"}, "the answer is the last part, and says nothing of the first"
    assert bench.row("messages", "q1/000").verdict == "accepted"

    late = listed("g2", "", "s2", ("s2", A1), at=bench.now)
    for _ in range(2):
        bench.receive(late)
    assert standing(bench) == {"s2", "s3"}


def test_r10_a_late_part_of_a_list_of_plans_does_not_remove_what_was_told_after_it() -> None:
    bench = Bench.dso()
    bench.receive(plans("g2", ("s1", A1, (flat(SOON, 4, 1),)), at=NOON + timedelta(seconds=5)))

    bench.receive(listed("g1", "", "s5", ("s2", A2), at=NOON))

    assert standing(bench) == {"s1", "s2"}
