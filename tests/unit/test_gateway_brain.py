"""What both gateways decide: order of Ref documents, answers, requests, failures."""

from datetime import timedelta
from typing import Any

from hypothesis import given, strategies
from msgspec.structs import replace

from documents.model import (
    AcknowledgementMarketDocument,
    Party,
    RefMarketDocument,
    StatusRequestMarketDocument,
)
from documents.values import Identifier, Reason
from gateways.commands import (
    Ask,
    ChangeResources,
    NoteFailure,
    PutResources,
    Receive,
    RemoveResources,
    Resource,
    ResourceChange,
)
from gateways.events import DocumentReleased, DocumentSent
from hub.ports import Recorded
from tests.gateway_bench import A1, A2, HUB, NORTH, P1, P2, Bench, left


def put(mrid: str, *resources: Identifier, produces: int = 1000) -> PutResources:
    wanted = tuple(Resource(resource=r, point=P1, max_production=produces) for r in resources)
    return PutResources(mrid=mrid, resources=wanted)


def test_r10_a_second_document_about_a_resource_waits_for_the_answer_to_the_first() -> None:
    bench = Bench.agr()
    first = bench.send(put("d1", A1))

    held = bench.do(put("d2", A1))
    released = bench.accept(first)

    assert left(held) == []
    assert left(released) == ["d2"]


def test_r10_documents_about_other_resources_do_not_wait() -> None:
    bench = Bench.agr()
    bench.send(put("d1", A1))

    assert left(bench.do(put("d2", A2))) == ["d2"]


def test_r10_what_is_held_leaves_in_order_and_one_at_a_time() -> None:
    bench = Bench.agr()
    first = bench.send(put("d1", A1))
    second, third = bench.send(put("d2", A1, A2)), bench.send(put("d3", A2))

    after_first = bench.accept(first)
    after_second = bench.accept(second)

    assert left(after_first) == ["d2"]
    assert left(after_second) == ["d3"]
    assert third.created > second.created > first.created


def test_r10_instants_of_documents_about_a_resource_rise_even_within_a_second() -> None:
    bench = Bench.agr()
    created = []
    for number in range(5):
        document = bench.send(put(f"d{number}", A1))
        bench.accept(document)
        created.append(document.created)

    assert created == [bench.now + timedelta(seconds=number) for number in range(5)]


@given(strategies.lists(strategies.tuples(strategies.sampled_from([(A1,), (A2,), (A1, A2)]), strategies.booleans())))
def test_r10_a_resource_never_has_two_unanswered_documents_and_everything_leaves(
    history: list[tuple[tuple[Identifier, ...], bool]],
) -> None:
    bench = Bench.agr()
    out: dict[str, RefMarketDocument] = {}
    documents: dict[str, Any] = {}

    def note(before: int) -> None:
        for event in bench.events[before:]:
            if isinstance(event, DocumentSent):
                documents[event.document.mrid] = event.document
                if not event.held:
                    out[event.document.mrid] = documents[event.document.mrid]
            if isinstance(event, DocumentReleased):
                mrid = event.sent.partition("/")[0]
                out[mrid] = documents[mrid]
        named = [series.resource for document in out.values() for series in document.series]
        assert len(named) == len(set(named))

    def answer_one() -> None:
        before = len(bench.events)
        bench.accept(out.pop(next(iter(out))))
        note(before)

    for number, (resources, answered) in enumerate(history):
        before = len(bench.events)
        bench.do(put(f"d{number}", *resources))
        note(before)
        if answered and out:
            answer_one()
    while out:
        answer_one()

    assert len(documents) == len(history) == sum(len(left([row])) for row in bench.shown)


def test_r10_a_failed_document_lets_the_next_one_go_and_a_late_answer_still_counts() -> None:
    bench = Bench.agr()
    first = bench.send(put("d1", A1))
    bench.do(put("d2", A1))

    failed = bench.do(NoteFailure(mrid="d1", hop="broker", reason="E-EXPIRED"))
    told = bench.row("messages", "d1/000")
    bench.accept(first)

    assert left(failed) == ["d2"]
    assert (told.verdict, told.failed_at, told.failed_why) == ("refused", "broker", "E-EXPIRED")
    assert bench.row("messages", "d1/000").verdict == "accepted"
    assert bench.row("assets", A1).confirmed.resource == A1


def test_r34_an_asset_is_pending_then_accepted() -> None:
    bench = Bench.agr()
    document = bench.send(put("d1", A1))
    pending = bench.row("assets", A1).state

    bench.accept(document)

    assert (pending, bench.row("assets", A1).state) == ("pending", "accepted")


def test_r34_a_refused_change_brings_back_what_was_accepted_with_the_reason() -> None:
    bench = Bench.agr()
    bench.accept(bench.send(put("d1", A1, produces=1000)))
    change = ChangeResources(mrid="d2", changes=(ResourceChange(resource=A1, max_production=5000),))

    bench.refuse(bench.send(change), "A42", "too much")

    row = bench.row("assets", A1)
    assert (row.state, row.series.max_production, row.reasons) == ("accepted", 1000, (Reason("A42", "too much"),))


def test_r34_a_patch_sends_the_whole_merged_series() -> None:
    bench = Bench.agr()
    bench.accept(bench.send(put("d1", A1, produces=1000)))
    change = ChangeResources(mrid="d2", changes=(ResourceChange(resource=A1, point=P2, max_consumption=70),))

    document = bench.send(change)

    assert isinstance(document, RefMarketDocument)
    (series,) = document.series
    assert document.process == "A37"
    assert (series.max_production, series.max_consumption, series.specific, series.psr_type) == (1000, 70, (P2,), "A03")


def test_r34_a_patch_of_an_unknown_asset_is_refused_and_the_others_go() -> None:
    bench = Bench.agr()
    bench.accept(bench.send(put("d1", A1)))
    changes = tuple(ResourceChange(resource=r, voltage="10") for r in (A1, A2))

    document = bench.send(ChangeResources(mrid="d2", changes=changes))
    bench.accept(document)

    told = bench.row("messages", "d2/000")
    assert (told.verdict, told.accepted, [r.id for r in told.rejected]) == ("partlyAccepted", (A1,), [A2])


def test_r34_a_patch_that_takes_all_power_away_leads_to_no_document() -> None:
    bench = Bench.agr()
    bench.accept(bench.send(put("d1", A1)))

    assert bench.do(ChangeResources(mrid="d2", changes=(ResourceChange(resource=A1, max_production=0),))) == []


def test_r34_a_removed_asset_is_gone_once_the_hub_agrees() -> None:
    bench = Bench.agr()
    bench.accept(bench.send(put("d1", A1)))
    document = bench.send(RemoveResources(mrid="d2", resources=(A1,)))
    before = bench.row("assets", A1).state

    bench.accept(document)

    assert isinstance(document, RefMarketDocument)
    assert (document.process, document.series[0].cancelled, before) == ("A38", True, "pending")
    assert bench.row("assets", A1) is None


def test_a_refused_asset_that_the_hub_never_had_can_be_removed_here() -> None:
    bench = Bench.agr()
    bench.refuse(bench.send(put("d1", A1)), "A64")

    bench.refuse(bench.send(RemoveResources(mrid="d2", resources=(A1,))), "A64")

    assert bench.row("assets", A1) is None


def test_r3_a_partly_refused_document_settles_each_asset_by_itself() -> None:
    bench = Bench.agr()
    document = bench.send(put("d1", A1, A2))

    bench.refuse_series(document, "A2", "A64")

    assert (bench.row("assets", A1).state, bench.row("assets", A2).state) == ("accepted", "refused")
    assert bench.row("messages", "d1/000").verdict == "partlyAccepted"


def test_an_answer_that_comes_again_or_belongs_to_nothing_changes_nothing() -> None:
    bench = Bench.agr()
    document = bench.send(put("d1", A1))
    bench.accept(document)

    assert bench.refuse(document, "A64") == []
    assert bench.refuse(replace(document, mrid="unknown"), "A64") == []


def test_r26_an_unreadable_document_is_refused_with_the_message_id_as_title() -> None:
    bench = Bench.dso()

    command = Receive(document=None, message_id="m1", refusal=Reason("A94", "no XML"))
    bench.do(command)

    (event,) = bench.events
    answer = event.document
    assert isinstance(answer, AcknowledgementMarketDocument)
    assert (answer.received.title, [reason.code for reason in answer.reasons]) == ("m1", ["A02", "A94"])


def test_r26_an_acknowledgement_is_never_acknowledged() -> None:
    bench = Bench.dso()
    document = bench.send(PutResources(mrid="d1", resources=(Resource(resource=P1),)))

    assert left(bench.accept(document)) == []


def test_r2_documents_carry_this_participant_and_its_role() -> None:
    bench = Bench.dso()

    document = bench.send(PutResources(mrid="d1", resources=(Resource(resource=P1, voltage="10"),)))

    assert isinstance(document, RefMarketDocument)
    assert (document.sender, document.receiver) == (NORTH, HUB)
    assert (document.series[0].owner, document.series[0].psr_type) == (NORTH.id, "A11")
    assert document.series[0].start_lifetime == bench.now.date()


def test_r13_a_request_asks_for_its_subject_and_is_answered_by_data_or_by_nothing_found() -> None:
    bench = Bench.agr()

    request = bench.send(Ask(mrid="q1", subject="A53"))
    bench.answer(request, Reason("999", "No matching data found"))

    assert isinstance(request, StatusRequestMarketDocument)
    assert {a.name: a.value for a in request.attributes} == {"DocumentType": "A53", "ProcessType": "A26"}
    assert bench.row("messages", "q1/000").verdict == "accepted"
    assert bench.brain.last_asked("A53") == bench.now


def test_a_rollback_brings_back_the_state_of_the_savepoint() -> None:
    bench = Bench.agr()
    bench.send(put("d1", A1))
    savepoint = bench.brain.savepoint()
    bench.send(put("d2", A2))
    bench.do(NoteFailure(mrid="d1", hop="x", reason="y"))

    bench.brain.rollback(savepoint)

    assert bench.brain.overdue(bench.now + timedelta(seconds=1)) == ["d1"]
    assert left(bench.do(put("d3", A2))) == ["d3"]


def test_replaying_the_events_gives_the_same_state() -> None:
    bench, other = Bench.agr(), Bench.agr()
    document = bench.send(put("d1", A1))
    bench.send(put("d2", A1))
    bench.accept(document)
    for position, event in enumerate(bench.events, start=1):
        other.brain.evolve(Recorded(event, position, bench.now, "test"))

    assert other.brain.known._tables == bench.brain.known._tables


def test_r2_a_document_from_another_than_the_hub_is_refused() -> None:
    bench = Bench.dso()
    document = bench.send(PutResources(mrid="d1", resources=(Resource(resource=P1),)))
    forged = replace(document, sender=Party(Identifier("A01:OTHER"), "A32"), mrid="f1")

    bench.do(Receive(document=forged, message_id="m1", refusal=Reason("A78", "not the hub")))

    assert bench.row("outbox", f"{bench.events[-1].document.mrid}/0").document.reasons[0].code == "A02"
