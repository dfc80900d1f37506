"""Verdicts, repeats, conflicts, refusals, quarantine, acknowledgements and alarms (R3, R19, R26, R27, R30)."""

from datetime import timedelta

from documents.model import ReceivedDocument
from documents.values import Identifier, Reason
from hub.aggregates.market_document import MAX_REASON_TEXT, listed, reason
from hub.commands import Origin, Quarantine, RaiseAlarm, RefuseDocument
from hub.events import DocumentRepeated, MessageQuarantined
from hub.ports import OPERATOR
from hub.rows import ACKNOWLEDGEMENTS, ALARMS, DOCUMENT_TRAIL
from tests.hub_world import ALPHA, BRAVO, NOON, NORTH, World, codes_of, digest_of, texts_of


def unreadable(sender: Identifier, title: str) -> RefuseDocument:
    origin = Origin(sender=sender, role=None, mrid="", digest=digest_of(title), title=title)
    return RefuseDocument(origin=origin, reasons=(Reason("A94", "Not well-formed XML. At line 3."),))


def test_r26_every_document_gets_one_answer_that_names_it() -> None:
    world = World()
    world.register(ALPHA, "a1", "n1", produces=5, mrid="m1", created=NOON, process="A36")

    (row,) = world.feed(ACKNOWLEDGEMENTS, ALPHA)
    assert row.payload.received == ReceivedDocument(mrid="m1", type="A95", process="A36", created=NOON)
    assert row.payload.reasons == (Reason("A01", "Fully accepted"),)
    assert row.payload.role == "A27"
    assert row.send is not None
    assert (row.send.business_type, row.send.document, row.send.urgent) == ("TPS-ACK", "m1", True)
    assert row.send.expires == NOON + timedelta(hours=24)


def test_r26_the_revision_is_named_where_the_document_has_one() -> None:
    world = World()
    world.cancel(NORTH, "limit", 4)

    (row,) = world.feed(ACKNOWLEDGEMENTS, NORTH)
    assert row.payload.received.revision == 4


def test_r26_an_unreadable_document_is_named_by_the_transports_message_id() -> None:
    world = World()

    events = world.do(unreadable(ALPHA, "message-1"))
    world.do(unreadable(ALPHA, "message-2"))

    assert codes_of(events) == ["A02", "A94"]
    first, second = world.feed(ACKNOWLEDGEMENTS, ALPHA)
    assert first.payload.received == ReceivedDocument(title="message-1")
    assert first.key != second.key


def test_r19_a_repeat_has_no_effect_and_the_first_answer() -> None:
    world = World()
    world.register(ALPHA, "a1", "n1", produces=5, mrid="m1", created=NOON, content="same")
    before = world.brain.contents()

    events = world.register(ALPHA, "a1", "n1", produces=5, mrid="m1", created=NOON, content="same")

    assert [type(event) for event in events] == [DocumentRepeated]
    assert world.brain.contents() == before
    first, again = world.feed(ACKNOWLEDGEMENTS, ALPHA)
    assert (first.key, first.payload) == (again.key, again.payload)


def test_r19_a_refusal_is_repeated_too() -> None:
    world = World()
    for _ in range(2):
        world.claim(ALPHA, "n1", mrid="m1", created=NOON, content="same")

    first, again = world.feed(ACKNOWLEDGEMENTS, ALPHA)
    assert first.payload == again.payload
    assert first.payload.reasons[0].code == "A02"


def test_r19_other_content_under_a_known_mrid_is_a_conflict() -> None:
    world = World()
    world.register(ALPHA, "a1", "n1", produces=5, mrid="m1", content="one")

    assert codes_of(world.register(ALPHA, "a2", "n1", produces=5, mrid="m1", content="two")) == ["A02", "A51"]


def test_r19_two_senders_may_use_the_same_mrid() -> None:
    world = World()

    assert codes_of(world.register(ALPHA, "a1", "n1", produces=5, mrid="m1")) == ["A01"]
    assert codes_of(world.register(BRAVO, "b1", "n1", produces=5, mrid="m1")) == ["A01"]
    alpha, bravo = world.feed(ACKNOWLEDGEMENTS, ALPHA), world.feed(ACKNOWLEDGEMENTS, BRAVO)
    assert alpha[0].key != bravo[0].key


def test_r30_a_quarantined_document_is_refused_and_alarms_without_detail_for_its_sender() -> None:
    world = World()
    origin = world.origin(ALPHA, "m1", content="bad")
    quarantine = Quarantine(origin=origin, message_id="message-1", error="ZeroDivisionError")

    events = world.do(quarantine)

    assert codes_of(events) == ["A02", "A94"]
    assert "ZeroDivisionError" not in texts_of(events)
    (alarm,) = world.current(ALARMS, OPERATOR).values()
    assert "ZeroDivisionError" in alarm.text


def test_r30_a_repeat_that_fails_keeps_the_first_verdict() -> None:
    world = World()
    world.register(ALPHA, "a1", "n1", produces=5, mrid="m1", content="same")
    origin = world.origin(ALPHA, "m1", content="same")

    events = world.do(Quarantine(origin=origin, message_id="message-2", error="KeyError"))

    assert [type(event) for event in events] == [MessageQuarantined, DocumentRepeated]
    assert world.feed(ACKNOWLEDGEMENTS, ALPHA)[-1].payload.reasons[0].code == "A01"


def test_r26_acknowledgements_end_at_the_hub() -> None:
    world = World()
    said = len(world.feed(ACKNOWLEDGEMENTS, ALPHA))

    world.acknowledge(ALPHA, "some push")

    assert len(world.feed(ACKNOWLEDGEMENTS, ALPHA)) == said


def test_r29_a_push_that_a_gateway_refuses_alarms_the_operator() -> None:
    world = World()

    world.acknowledge(NORTH, "push-1", "A02")

    (alarm,) = world.current(ALARMS, OPERATOR).values()
    assert "push-1" in alarm.text


def test_an_acknowledgement_of_a_stranger_is_no_fact() -> None:
    assert World().acknowledge(Identifier("A01:10YDK-1--------W"), "push-1") == ()


def test_r27_an_alarm_is_raised_once() -> None:
    world = World()
    alarm = RaiseAlarm(subject="undelivered/1", text="not delivered within 60 s")

    assert [len(world.do(alarm)), len(world.do(alarm))] == [1, 0]
    assert len(world.feed(ALARMS, OPERATOR)) == 1


def test_the_trail_keeps_the_first_verdict_beside_a_conflict() -> None:
    world = World()
    world.register(ALPHA, "a1", "n1", produces=5, mrid="m1", content="one")
    world.register(ALPHA, "a2", "n1", produces=5, mrid="m1", content="two")

    trail = world.current(DOCUMENT_TRAIL, OPERATOR)
    assert [(key.count("/"), entry.verdict) for key, entry in sorted(trail.items())] == [(2, "A01"), (3, "A02")]


def test_texts_fit_their_element() -> None:
    assert len(reason("A64", "x" * 600).text or "") == MAX_REASON_TEXT
    assert listed([str(number) for number in range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
