"""What every outbox promises (hub.ports.Outbox, R12, R27-R31), with the acknowledgements that a commit queues."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec
import pytest

from documents.values import Identifier
from hub.mades.message import InternalType
from hub.ports import (
    Batch,
    FeedSlice,
    InboxEntry,
    MessageState,
    MessageStatus,
    NewEvent,
    OutgoingMessage,
    ReceivedAcknowledgement,
    Row,
    SealedMessage,
    Sending,
)
from hub.store.database import Database
from hub.store.postgres import PostgresStore
from tests.fixtures_store import COMPONENT, DatabaseUrl, Doors, Store

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ALPHA, BRAVO = Identifier("A01:ALPHA"), Identifier("A01:BRAVO")
BODY = b"<document/>"
MANIFEST = b"signed by us"


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def leaving(  # noqa: PLR0917 # the fields that differ from test to test
    document: str,
    audience: Identifier = ALPHA,
    urgent: bool = False,  # same
    expires: datetime | None = None,
    business_type: str = "TPS-FORESEEN",
    view: str = "limits",
) -> Row:
    sending = Sending(business_type=business_type, document=document, expires=expires or later(3600), urgent=urgent)
    return Row(view=view, audience=audience, key=document, payload={"of": document}, send=sending)


def quiet(key: str, audience: Identifier = ALPHA) -> Row:
    """A row that leaves with the beat only."""
    return Row(view="assets", audience=audience, key=key, payload={"of": key})


def taken_in(message_id: str, sender: str = ALPHA, *, confirmed: bool = True) -> InboxEntry:
    return InboxEntry(
        sender=sender,
        message_id=message_id,
        business_type="TPS-ASSETS",
        document="d",
        digest="ab" * 32,
        received=NOW,
        expires=later(60),
        confirmed=confirmed,
    )


def hexdigest(content: bytes) -> str:
    return sha256(content).hexdigest()


def seal(message: OutgoingMessage, manifest: bytes, certificate: str = "c1", body: bytes = BODY) -> SealedMessage:
    return SealedMessage(
        message_id=message.message_id,
        body=body,
        sealed=b"sealed " + manifest,
        sealed_for=certificate,
        manifest_digest=hexdigest(manifest),
    )


async def keep(store: Store, *rows: Row, inbox: Sequence[InboxEntry] = (), at: datetime = NOW) -> None:
    head = await store.log.head()
    happened = NewEvent(stream="rows", version=head + 1, topic="Happened.v1", state=b"", cause="test")
    numbered = tuple((head + 1, row) for row in rows)
    await store.commit.commit(Batch(after=head, at=at, events=(happened,), rows=numbered, inbox=tuple(inbox)))


async def claim(
    store: Store, *, now: datetime = NOW, limit: int = 100, lease_s: float = 30
) -> Sequence[OutgoingMessage]:
    """As both loops of an endpoint together, the urgent one first."""
    urgent = await store.outbox.claim(urgent=True, limit=limit, now=now, lease_s=lease_s)
    return [*urgent, *await store.outbox.claim(urgent=False, limit=limit - len(urgent), now=now, lease_s=lease_s)]


async def publish(store: Store, *, now: datetime = NOW) -> Sequence[OutgoingMessage]:
    """As dispatch does: claim, render, publish, confirm."""
    messages = await claim(store, now=now)
    await store.outbox.sealed([seal(message, MANIFEST) for message in messages if message.source])
    await store.outbox.transported([message.message_id for message in messages], now=now)
    return messages


def acknowledgement(  # noqa: PLR0917 # the fields that differ from test to test
    related: str,
    internal_type: InternalType = InternalType.DELIVERY,
    sender: str = ALPHA,
    event_time: datetime = NOW,
    digest: str | None = None,
    reason: str | None = None,
    about: bytes | None = MANIFEST,
    manifest: bytes | None = None,
) -> ReceivedAcknowledgement:
    return ReceivedAcknowledgement(
        related=related,
        internal_type=internal_type,
        sender=sender,
        event_time=event_time,
        digest=digest,
        reason=reason,
        manifest_digest=None if about is None else hexdigest(about),
        manifest=manifest,
    )


async def status(store: Store, document: str = "d1") -> MessageStatus:
    (found,) = await store.outbox.status(document)
    return found


def story(found: MessageStatus) -> list[tuple[str, str]]:
    return [(step.component, step.state) for step in found.trace]


# Claiming


async def test_a_row_that_leaves_is_a_message_made_of_its_slice_of_the_feed(store: Store) -> None:
    await keep(store, Row(view="limits", audience=ALPHA, key="silent", payload={}))
    await keep(store, leaving("d1", urgent=True))

    (message,) = await claim(store)

    assert (message.receiver, message.document, message.business_type) == (ALPHA, "d1", "TPS-FORESEEN")
    assert (message.internal_type, message.urgent) == ("STANDARD_MESSAGE", True)
    assert (message.accepted, message.expires) == (NOW, later(3600))
    assert message.source == FeedSlice("limits", ALPHA, 1, 2)
    assert (message.body, message.attempts) == (None, 1)
    assert len(message.message_id) == 32


@pytest.mark.parametrize("urgent", [True, False])
async def test_r28_a_claim_takes_its_own_kind_only_the_oldest_first(store: Store, urgent: bool) -> None:
    await keep(store, leaving("bulk 1"), leaving("urgent 1", urgent=True))
    await keep(store, leaving("bulk 2"), leaving("urgent 2", urgent=True), inbox=[taken_in("m1")])

    claimed = await store.outbox.claim(urgent=urgent, limit=9, now=NOW, lease_s=30)

    assert [message.document for message in claimed] == (
        ["urgent 1", "urgent 2", "", ""] if urgent else ["bulk 1", "bulk 2"]
    )


async def test_a_claim_passes_over_receivers_to_whom_enough_is_on_its_way(store: Store) -> None:
    await keep(store, leaving("d1"), leaving("d1", audience=BRAVO), leaving("d2"))

    passed = await store.outbox.claim(urgent=False, limit=9, now=NOW, lease_s=30, full=[ALPHA, "A10:nobody"])
    assert [(message.receiver, message.document) for message in passed] == [(BRAVO, "d1")]

    rest = await store.outbox.claim(urgent=False, limit=9, now=NOW, lease_s=30)
    assert [(message.receiver, message.document) for message in rest] == [(ALPHA, "d1"), (ALPHA, "d2")]


async def test_a_claim_takes_at_most_its_limit(store: Store) -> None:
    await keep(store, *(leaving(f"d{number}") for number in range(5)))

    assert [message.document for message in await claim(store, limit=2)] == ["d0", "d1"]
    assert [message.document for message in await claim(store, limit=9)] == ["d2", "d3", "d4"]


async def test_a_claimed_message_is_in_one_hand_until_its_lease_ends(store: Store) -> None:
    await keep(store, leaving("d1"))
    (first,) = await claim(store, lease_s=30)

    assert await claim(store, now=later(29)) == []
    (again,) = await claim(store, now=later(30))
    assert (again.message_id, again.attempts) == (first.message_id, 2)


async def test_what_an_ended_process_had_in_hand_is_claimed_at_once_and_what_waits_goes_on_waiting(
    store: Store,
) -> None:
    await keep(store, leaving("d1"), leaving("d2"), leaving("d3"))
    held, sent, refused = await claim(store, lease_s=60)
    await store.outbox.transported([sent.message_id], now=NOW)
    await store.outbox.retry([refused.message_id], at=later(5), reason="E-UNROUTABLE")

    assert await store.outbox.release() == 1

    (again,) = await claim(store)
    assert (again.message_id, again.attempts) == (held.message_id, 2)
    assert [message.document for message in await claim(store, now=later(5))] == ["d3"]


async def test_two_senders_never_hold_the_same_message(doors: Doors) -> None:
    one, two = await doors(), await doors()
    await keep(one, *(leaving(f"d{number}") for number in range(40)))

    held = await asyncio.gather(*(claim(door, limit=7) for door in (one, two, one, two, one, two, one, two)))

    documents = [message.document for messages in held for message in messages]
    assert sorted(documents) == sorted(f"d{number}" for number in range(40))


async def test_r28_a_message_never_leaves_ahead_of_an_earlier_one_of_its_document(store: Store) -> None:
    await keep(store, leaving("d1"), leaving("d1", urgent=True), leaving("d2"))
    first, other = await claim(store)
    assert (first.urgent, first.document, other.document) == (False, "d1", "d2")

    await store.outbox.retry([first.message_id], at=later(5), reason="E-UNROUTABLE")
    assert await claim(store, now=later(4)) == []

    (again,) = await claim(store, now=later(5))
    assert again.message_id == first.message_id
    await store.outbox.transported([first.message_id], now=later(5))
    (second,) = await claim(store, now=later(5))
    assert (second.document, second.urgent) == ("d1", True)


async def test_the_same_document_to_another_receiver_does_not_wait(store: Store) -> None:
    await keep(store, leaving("d1"), leaving("d1", audience=BRAVO))

    assert [message.receiver for message in await claim(store)] == [ALPHA, BRAVO]


async def test_sealed_bytes_stay_for_every_retry_until_they_are_sealed_anew(store: Store) -> None:
    await keep(store, leaving("d1"))
    (message,) = await claim(store)
    await store.outbox.sealed([seal(message, b"m1")])
    await store.outbox.retry([message.message_id], at=NOW, reason="E-BROKER-DOWN")

    (again,) = await claim(store)
    await store.outbox.sealed([seal(message, b"m2", "c2", body=b"rendered once more")])
    await store.outbox.retry([message.message_id], at=NOW, reason="E-BROKER-DOWN")
    (anew,) = await claim(store)

    assert (again.body, again.sealed, again.sealed_for) == (BODY, b"sealed m1", "c1")
    assert (anew.body, anew.sealed, anew.sealed_for) == (BODY, b"sealed m2", "c2")


# Transport


async def test_a_confirmed_message_is_not_sent_again_and_its_trace_says_so(store: Store) -> None:
    await keep(store, leaving("d1"))
    await publish(store, now=later(1))

    assert await claim(store, now=later(9999)) == []
    found = await status(store)
    assert found.state is MessageState.ACCEPTED
    assert story(found) == [(COMPONENT, "ACCEPTED"), (COMPONENT, "TRANSPORTED")]
    assert [step.at for step in found.trace] == [NOW, later(1)]


async def test_a_failed_message_is_not_sent_again_and_says_why(store: Store) -> None:
    await keep(store, leaving("d1"))
    (message,) = await claim(store)

    await store.outbox.fail(message.message_id, component="broker", reason="E-BROKER-REFUSED", now=later(1))

    found = await status(store)
    assert (found.state, found.reason) == (MessageState.FAILED, "E-BROKER-REFUSED")
    assert (found.trace[-1].component, found.trace[-1].details) == ("broker", "E-BROKER-REFUSED")
    assert await claim(store, now=later(60)) == []


async def test_a_received_message_cannot_fail_any_more(store: Store) -> None:
    await keep(store, leaving("d1"))
    (message,) = await publish(store)
    await store.outbox.acknowledge([acknowledgement(message.message_id, InternalType.RECEIVE)], now=NOW)

    await store.outbox.fail(message.message_id, component=COMPONENT, reason="E-EXPIRED", now=later(1))

    assert (await status(store)).state is MessageState.RECEIVED


# Acknowledgements that arrive (R29)


async def test_r29_acknowledgements_lead_from_accepted_over_delivered_to_received(store: Store) -> None:
    await keep(store, leaving("d1"))
    (message,) = await publish(store)
    digest = sha256(BODY).hexdigest()

    delivery = acknowledgement(message.message_id, event_time=later(1), digest=digest)
    assert await store.outbox.acknowledge([delivery], now=later(2)) == ["d1"]
    assert (await status(store)).state is MessageState.DELIVERED

    receive = acknowledgement(message.message_id, InternalType.RECEIVE, event_time=later(3), digest=digest)
    assert await store.outbox.acknowledge([receive], now=later(4)) == ["d1"]
    found = await status(store)
    assert found.state is MessageState.RECEIVED
    assert story(found)[2:] == [(ALPHA, "DELIVERED"), (ALPHA, "RECEIVED")]
    assert [step.at for step in found.trace][2:] == [later(1), later(3)]


async def test_r29_both_acknowledgements_may_come_at_once_twice_and_in_the_wrong_order(store: Store) -> None:
    await keep(store, leaving("d1"), leaving("d2"))
    first, second = await publish(store)
    delivery, receive = (
        acknowledgement(first.message_id, kind) for kind in (InternalType.DELIVERY, InternalType.RECEIVE)
    )

    changed = await store.outbox.acknowledge([receive, delivery, acknowledgement(second.message_id)], now=NOW)
    again = await store.outbox.acknowledge([delivery, receive], now=NOW)

    assert (changed, again) == (["d1", "d2"], [])
    found = await status(store)
    assert found.state is MessageState.RECEIVED
    assert story(found)[2:] == [(ALPHA, "RECEIVED"), (ALPHA, "DELIVERED")]


async def test_an_acknowledgement_before_the_confirm_of_the_broker_ends_the_sending(store: Store) -> None:
    await keep(store, leaving("d1"))
    (message,) = await claim(store)
    await store.outbox.acknowledge([acknowledgement(message.message_id)], now=NOW)
    await store.outbox.transported([message.message_id], now=NOW)

    assert (await status(store)).state is MessageState.DELIVERED
    assert await claim(store, now=later(999)) == []


@pytest.mark.parametrize(
    "forged",
    [
        acknowledgement("?", InternalType.RECEIVE, sender=BRAVO),
        acknowledgement("?", InternalType.RECEIVE, digest="00" * 32),
    ],
    ids=["not from the receiver", "about other bytes"],
)
async def test_an_acknowledgement_that_is_not_genuine_changes_nothing(
    store: Store, forged: ReceivedAcknowledgement
) -> None:
    await keep(store, leaving("d1"))
    (message,) = await publish(store)
    before = await status(store)
    received = acknowledgement(message.message_id, InternalType.RECEIVE, sender=forged.sender, digest=forged.digest)

    assert await store.outbox.acknowledge([received], now=NOW) == []
    assert await status(store) == before


@pytest.mark.parametrize(("about", "counts"), [(b"m1", True), (b"m2", True), (b"m3", False), (None, False)])
async def test_of_a_sealed_message_any_manifest_that_was_sent_may_be_acknowledged_and_no_other(
    store: Store, about: bytes | None, counts: bool
) -> None:
    await keep(store, leaving("d1"))
    (message,) = await claim(store)
    await store.outbox.sealed([seal(message, b"m1")])
    await store.outbox.sealed([seal(message, b"m2", "c2")])

    changed = await store.outbox.acknowledge([acknowledgement(message.message_id, about=about)], now=NOW)

    assert changed == (["d1"] if counts else [])


async def test_the_signed_acknowledgements_are_kept_as_they_first_came(store: Store) -> None:
    await keep(store, leaving("d1"))
    (message,) = await claim(store)
    await store.outbox.sealed([seal(message, b"m1")])
    for kind, manifest in (
        (InternalType.DELIVERY, b"signed: delivered"),
        (InternalType.RECEIVE, b"signed: received"),
        (InternalType.RECEIVE, b"signed: received, once more"),
    ):
        arrived = acknowledgement(message.message_id, kind, about=b"m1", manifest=manifest)
        await store.outbox.acknowledge([arrived], now=NOW)
    forged = acknowledgement(message.message_id, InternalType.FAILURE, about=b"m3", manifest=b"signed: failed")
    await store.outbox.acknowledge([forged], now=NOW)

    assert await store.outbox.proofs(message.message_id) == {
        InternalType.DELIVERY: b"signed: delivered",
        InternalType.RECEIVE: b"signed: received",
    }
    assert await store.outbox.proofs("unknown") == {}


async def test_a_claimed_message_says_whether_another_of_its_document_waits_behind_it(store: Store) -> None:
    await keep(
        store, leaving("d1"), leaving("d2"), leaving("d1"), leaving("d1", audience=BRAVO), inbox=[taken_in("m1")]
    )

    claimed = await claim(store)
    assert [(each.document, each.receiver, each.followed) for each in claimed if each.document] == [
        ("d1", ALPHA, True),
        ("d2", ALPHA, False),
        ("d1", BRAVO, False),
    ]
    assert not any(each.followed for each in claimed if not each.document)

    await store.outbox.transported([each.message_id for each in claimed], now=NOW)
    assert [(each.document, each.followed) for each in await claim(store)] == [("d1", False)]


async def test_a_manifest_that_says_several_things_proves_each_of_them(store: Store) -> None:
    await keep(store, leaving("d1"), leaving("d2"))
    one, other = await publish(store)
    arrived = [
        acknowledgement(message.message_id, kind, manifest=b"signed: all of it")
        for message in (one, other)
        for kind in (InternalType.DELIVERY, InternalType.RECEIVE)
    ]
    alone = acknowledgement(one.message_id, InternalType.FAILURE, manifest=b"signed: this alone")

    for _ in range(2):
        await store.outbox.acknowledge([*arrived, alone], now=NOW)

    both = {InternalType.DELIVERY: b"signed: all of it", InternalType.RECEIVE: b"signed: all of it"}
    assert await store.outbox.proofs(one.message_id) == {**both, InternalType.FAILURE: b"signed: this alone"}
    assert await store.outbox.proofs(other.message_id) == both


@pytest.mark.parametrize(("reason", "ends"), [("E-EXPIRED", MessageState.RECEIVED), ("E-BROKER", MessageState.FAILED)])
async def test_a_state_that_another_process_moves_meanwhile_is_folded_anew(
    database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch, reason: str, ends: MessageState
) -> None:
    url = await database_url()
    async with (
        await PostgresStore.open(url, component=COMPONENT) as ours,
        await PostgresStore.open(url, component=COMPONENT) as other,
    ):
        await keep(ours, leaving("d1"))
        (message,) = await publish(ours)
        looks = []
        fetch = Database.fetch

        async def overtaken(database: Database, query: str, *arguments: object) -> Sequence[object]:
            found = await fetch(database, query, *arguments)
            if query == "acknowledged":
                looks.append(query)
                await other.outbox.fail(message.message_id, component="other", reason=reason, now=NOW)
            return found

        monkeypatch.setattr(Database, "fetch", overtaken)
        changed = await ours.outbox.acknowledge([acknowledgement(message.message_id, InternalType.RECEIVE)], now=NOW)

        assert (len(looks), (await status(ours)).state) == (2, ends)
        assert changed == (["d1"] if ends is MessageState.RECEIVED else [])


async def test_acknowledgements_name_the_manifest_they_are_about(store: Store) -> None:
    await keep(store, inbox=[msgspec.structs.replace(taken_in("m1"), manifest=b"signed by alpha")])
    await store.outbox.enqueue_failure(
        receiver=ALPHA,
        related="m2",
        business_type="TPS-ASSETS",
        digest=None,
        manifest_digest=hexdigest(b"refused"),
        reason="E-DIGEST",
        now=NOW,
    )

    assert [(each.internal_type, each.related, each.related_manifest) for each in await claim(store)] == [
        (InternalType.DELIVERY, "m1", hexdigest(b"signed by alpha")),
        (InternalType.RECEIVE, "m1", hexdigest(b"signed by alpha")),
        (InternalType.FAILURE, "m2", hexdigest(b"refused")),
    ]


async def test_an_acknowledgement_of_an_unknown_message_is_ignored(store: Store) -> None:
    assert await store.outbox.acknowledge([acknowledgement("unknown")], now=NOW) == []


async def test_a_failure_acknowledgement_says_why(store: Store) -> None:
    await keep(store, leaving("d1"))
    (message,) = await publish(store)

    failure = acknowledgement(message.message_id, InternalType.FAILURE, reason="E-DIGEST")
    assert await store.outbox.acknowledge([failure], now=NOW) == ["d1"]

    found = await status(store)
    assert (found.state, found.reason) == (MessageState.FAILED, "E-DIGEST")


async def test_a_message_given_up_at_its_expiry_is_received_when_its_receiver_had_it_in_time(store: Store) -> None:
    await keep(store, leaving("d1", expires=later(100)))
    (message,) = await publish(store)
    assert await store.outbox.expire(now=later(161)) == ["d1"]

    late = acknowledgement(message.message_id, InternalType.RECEIVE, event_time=later(99))
    assert await store.outbox.acknowledge([late], now=later(200)) == ["d1"]

    found = await status(store)
    assert (found.state, found.reason) == (MessageState.RECEIVED, None)


# Acknowledgements that we owe (R29)


async def test_r29_taking_a_message_in_queues_both_acknowledgements_in_the_same_commit(store: Store) -> None:
    await keep(store, inbox=[taken_in("m1")])

    delivery, receive = await claim(store)

    assert (delivery.internal_type, receive.internal_type) == (InternalType.DELIVERY, InternalType.RECEIVE)
    for message in (delivery, receive):
        assert (message.receiver, message.related, message.related_digest) == (ALPHA, "m1", "ab" * 32)
        assert (message.urgent, message.source, message.business_type) == (True, None, "TPS-ASSETS")
        assert message.expires == later(24 * 3600)


async def test_an_acknowledgement_ends_when_it_is_transported(store: Store) -> None:
    await keep(store, inbox=[taken_in("m1")])
    await publish(store)

    assert await claim(store, now=later(999)) == []
    assert await store.outbox.reopen() == 0
    assert await store.outbox.expire(now=later(10**7)) == []


async def test_a_repeated_message_gets_its_stored_acknowledgements_again(store: Store) -> None:
    await keep(store, inbox=[taken_in("m1"), taken_in("m1", sender=BRAVO), taken_in("m2")])
    first = await publish(store)

    await store.commit.replay_acknowledgements(ALPHA, "m1", now=later(10**6))

    again = await claim(store, now=later(10**6))
    mine = [message.message_id for message in first if (message.related, message.receiver) == ("m1", ALPHA)]
    assert [message.message_id for message in again] == mine
    assert all(message.expires > later(10**6) for message in again)


async def test_a_refused_message_gets_one_failure_acknowledgement_however_often_it_comes(store: Store) -> None:
    async def refuse(now: datetime) -> None:
        await store.outbox.enqueue_failure(
            receiver=ALPHA, related="m1", business_type="TPS-ASSETS", digest="cd" * 32, reason="E-DIGEST", now=now
        )

    await refuse(NOW)
    await refuse(NOW)
    (failure,) = await publish(store)
    assert (failure.internal_type, failure.receiver, failure.related) == (InternalType.FAILURE, ALPHA, "m1")
    assert (failure.reason, failure.related_digest, failure.urgent) == ("E-DIGEST", "cd" * 32, True)
    assert await claim(store) == []

    await refuse(later(60))
    assert [message.message_id for message in await claim(store, now=later(60))] == [failure.message_id]
    assert await store.commit.known([(ALPHA, "m1")]) == {}


# A volatile broker (R31), expiry, overdue messages (R27)


async def test_r31_what_has_not_ended_is_due_again_after_the_broker_forgot(store: Store) -> None:
    await keep(store, *(leaving(f"d{number}") for number in range(5)))
    sent = {message.document: message.message_id for message in await publish(store)}
    kinds = {"d1": InternalType.DELIVERY, "d2": InternalType.RECEIVE, "d3": InternalType.FAILURE}
    await store.outbox.acknowledge([acknowledgement(sent[name], kind) for name, kind in kinds.items()], now=NOW)

    assert await store.outbox.reopen() == 3

    again = await claim(store)
    assert [(message.document, message.body) for message in again] == [("d0", BODY), ("d1", BODY), ("d4", BODY)]


async def test_r31_a_confirm_from_before_the_broker_forgot_does_not_count(store: Store) -> None:
    await keep(store, leaving("d1"))
    (message,) = await claim(store)
    await store.outbox.reopen()
    await store.outbox.transported([message.message_id], now=NOW)

    assert len(await claim(store)) == 1


async def test_what_has_passed_its_expiry_undelivered_has_failed(store: Store) -> None:
    await keep(store, leaving("short", expires=later(100)), leaving("long", expires=later(1000)))
    await keep(store, leaving("delivered", expires=later(100)))
    messages = {message.document: message.message_id for message in await publish(store)}
    await store.outbox.acknowledge([acknowledgement(messages["delivered"])], now=NOW)

    assert await store.outbox.expire(now=later(159), grace_s=60) == []
    assert await store.outbox.expire(now=later(161), grace_s=60) == ["short"]

    found = await status(store, "short")
    assert (found.state, found.reason) == (MessageState.FAILED, "E-EXPIRED")
    assert (await status(store, "delivered")).state is MessageState.DELIVERED
    assert (await status(store, "long")).state is MessageState.ACCEPTED


async def test_an_expired_message_no_longer_holds_back_a_later_one_of_its_document(store: Store) -> None:
    await keep(store, leaving("d1", expires=later(10)), leaving("d1"))
    await store.outbox.expire(now=later(100))

    (message,) = await claim(store, now=later(100))
    assert message.expires == later(3600)


async def test_r27_undelivered_messages_of_a_type_are_overdue_after_a_while(store: Store) -> None:
    await keep(store, leaving("old", business_type="TPS-UNFORESEEN"), leaving("other type"))
    await keep(store, leaving("delivered", business_type="TPS-UNFORESEEN"))
    await keep(store, leaving("young", business_type="TPS-UNFORESEEN"), at=later(30))
    sent = {message.document: message.message_id for message in await publish(store, now=later(30))}
    await store.outbox.acknowledge([acknowledgement(sent["delivered"])], now=later(30))

    overdue = await store.outbox.overdue(business_type="TPS-UNFORESEEN", since=later(1))

    assert [message.document for message in overdue] == ["old"]


# Lost messages


async def test_silence_does_not_prove_that_a_message_is_lost(store: Store) -> None:
    await keep(store, leaving("d1"))
    await publish(store)

    assert await store.outbox.silent(now=later(59)) == []
    assert await store.outbox.silent(now=later(60)) == [ALPHA]
    assert await store.outbox.resend(answered={}, now=later(3000)) == 0
    assert await claim(store, now=later(3000)) == []


@pytest.mark.parametrize(("after_s", "lost"), [(59, 0), (60, 1)])
async def test_a_message_is_lost_when_its_receiver_has_a_later_one_of_its_queue(
    store: Store, after_s: float, lost: int
) -> None:
    await keep(store, leaving("d1"))
    (first,) = await publish(store)
    await keep(store, leaving("d2"))
    (second,) = await publish(store, now=later(after_s))
    await store.outbox.acknowledge([acknowledgement(second.message_id, InternalType.RECEIVE)], now=later(after_s))

    assert await store.outbox.resend(answered={}, now=later(99)) == lost

    again = await claim(store, now=later(99))
    assert [(each.message_id, each.body, each.attempts) for each in again] == [(first.message_id, BODY, 2)] * lost
    assert [state for _, state in story(await status(store))][2:] == ["RETRY"] * lost


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (leaving("d2", urgent=True), InternalType.RECEIVE),
        (leaving("d2", audience=BRAVO), InternalType.RECEIVE),
        (leaving("d2"), InternalType.DELIVERY),
    ],
    ids=["another queue", "another receiver", "not received"],
)
async def test_nothing_else_that_arrives_proves_that_a_message_is_lost(
    store: Store, other: Row, kind: InternalType
) -> None:
    await keep(store, leaving("d1"))
    await publish(store)
    await keep(store, other)
    (second,) = await publish(store, now=later(60))
    arrived = acknowledgement(second.message_id, kind, sender=second.receiver)
    await store.outbox.acknowledge([arrived], now=later(60))

    assert await store.outbox.resend(answered={BRAVO: later(60)}, now=later(99)) == 0


async def test_an_answered_test_proves_that_what_was_sent_before_is_lost_at_most_five_times(store: Store) -> None:
    await keep(store, leaving("d1"))
    await publish(store)
    lost = []

    for minute in range(1, 8):
        now = later(60 * minute)
        lost.append(await store.outbox.resend(answered={ALPHA: now}, now=now))
        await publish(store, now=now)

    assert lost == [1, 1, 1, 1, 1, 0, 0]
    assert await store.outbox.silent(now=later(3000)) == []


async def test_what_waits_has_ended_or_has_expired_is_never_lost(store: Store) -> None:
    await keep(store, leaving("received"), leaving("failed"), leaving("short", expires=later(500)))
    received, failed, _ = await publish(store)
    await store.outbox.acknowledge([acknowledgement(received.message_id, InternalType.RECEIVE)], now=NOW)
    await store.outbox.acknowledge([acknowledgement(failed.message_id, InternalType.FAILURE)], now=NOW)
    await keep(store, leaving("not confirmed"), inbox=[taken_in("m1")])
    await claim(store)

    assert await store.outbox.resend(answered={ALPHA: later(999)}, now=later(1000)) == 0
    assert await store.outbox.silent(now=later(1000)) == []


# The beat (R12)


async def gather(store: Store, *, now: datetime = NOW, most: int = 100, most_bytes: int = 10_000) -> int:
    return await store.outbox.gather(
        "assets", business_type="TPS-ASSETS", now=now, ttl_s=600, most=most, most_bytes=most_bytes
    )


async def test_r12_a_beat_sends_each_audience_one_message_of_everything_new(store: Store) -> None:
    await keep(store, quiet("a1"), quiet("a2"), quiet("b1", audience=BRAVO), leaving("other view", audience=BRAVO))
    await publish(store)

    assert await gather(store, now=later(2)) == 2

    one, two = await claim(store, now=later(2))
    assert (one.source, two.source) == (FeedSlice("assets", ALPHA, 0, 2), FeedSlice("assets", BRAVO, 0, 1))
    assert (one.receiver, one.business_type, one.urgent) == (ALPHA, "TPS-ASSETS", False)
    assert (one.accepted, one.expires) == (later(2), later(602))
    assert one.document != two.document
    assert story(await status(store, one.document)) == [(COMPONENT, "ACCEPTED")]


async def test_r12_a_quiet_beat_sends_nothing_and_the_next_one_only_what_came_since(store: Store) -> None:
    await keep(store, quiet("a1"))
    await gather(store)
    assert await gather(store) == 0

    await keep(store, quiet("a2"), quiet("a1"))
    assert await gather(store) == 1

    sources = [message.source for message in await claim(store)]
    assert sources == [FeedSlice("assets", ALPHA, 0, 1), FeedSlice("assets", ALPHA, 1, 3)]


async def test_r12_a_beat_with_more_than_one_document_holds_sends_several_in_order(store: Store) -> None:
    await keep(store, *(quiet(f"a{number}") for number in range(5)), quiet("b1", audience=BRAVO))

    assert await gather(store, most=2) == 4
    assert await gather(store, most=2) == 0

    messages = await claim(store)
    assert [message.source for message in messages] == [
        FeedSlice("assets", ALPHA, 0, 2),
        FeedSlice("assets", ALPHA, 2, 4),
        FeedSlice("assets", ALPHA, 4, 5),
        FeedSlice("assets", BRAVO, 0, 1),
    ]
    assert len({message.document for message in messages}) == 4


async def test_r12_a_long_row_leaves_alone_and_short_ones_together(store: Store) -> None:
    long = "x" * 500
    keys = ("a", "b", long, "c", "d", f"{long}2", f"{long}3", "e")
    await keep(store, *map(quiet, keys), Row(view="assets", audience=ALPHA, key="a", payload=None))

    assert await gather(store, most_bytes=300) == 6

    sources = [message.source for message in await claim(store) if message.source]
    assert [(source.after, source.upto) for source in sources] == [(0, 2), (2, 3), (3, 5), (5, 6), (6, 7), (7, 9)]


async def test_r12_two_beats_at_once_send_everything_once(doors: Doors) -> None:
    one, two = await doors(), await doors()
    await keep(one, quiet("a1"), quiet("b1", audience=BRAVO))

    assert sum(await asyncio.gather(gather(one), gather(two), gather(one), gather(two))) == 2


# Status


async def test_a_document_sent_twice_has_two_stories_the_newest_last(store: Store) -> None:
    await keep(store, leaving("d1"))
    await keep(store, leaving("d1"), at=later(5))

    found = await store.outbox.status("d1")

    assert [step.at for entry in found for step in entry.trace] == [NOW, later(5)]
    assert await store.outbox.status("unknown") == []


async def test_a_retry_is_told_with_its_reason(store: Store) -> None:
    await keep(store, leaving("d1"))
    (message,) = await claim(store)
    await store.outbox.retry([message.message_id], at=later(2), reason="E-UNROUTABLE")

    step = (await status(store)).trace[-1]
    assert (step.state, step.details, step.component) == ("RETRY", "E-UNROUTABLE", COMPONENT)


async def test_one_message_is_found_by_its_id_an_acknowledgement_is_not(store: Store) -> None:
    await keep(store, leaving("d1"), inbox=[taken_in("m1")])
    *acknowledgements, sent = await claim(store)

    found = await store.outbox.find(sent.message_id)

    assert [found] == await store.outbox.status("d1")
    assert await store.outbox.find(acknowledgements[0].message_id) is None
    assert await store.outbox.find("unknown") is None


async def test_messages_wait_until_they_are_delivered_acknowledgements_do_not_count(store: Store) -> None:
    await keep(store, leaving("d1"), leaving("d2"), leaving("d3"), inbox=[taken_in("m1")])
    assert await store.outbox.waiting() == 3

    *_, first, second, _ = await publish(store)
    assert await store.outbox.waiting() == 3
    await store.outbox.acknowledge([acknowledgement(first.message_id)], now=NOW)
    await store.outbox.fail(second.message_id, component="broker", reason="E-BROKER-REFUSED", now=NOW)

    assert await store.outbox.waiting() == 1


async def test_the_age_of_what_waits_is_that_of_the_oldest_that_is_not_delivered(store: Store) -> None:
    assert await store.outbox.oldest() is None
    await keep(store, leaving("d1"))
    first = (await publish(store))[0]
    await store.outbox.acknowledge([acknowledgement(first.message_id)], now=NOW)
    assert await store.outbox.oldest() is None

    await keep(store, leaving("d2"), inbox=[taken_in("m1")])

    assert await store.outbox.oldest() == NOW


# What a message box needs: ids that are chosen, and messages that are confirmed later


async def test_whoever_sends_may_choose_the_id_of_a_message_and_name_its_application(store: Store) -> None:
    row = leaving("d1")
    assert row.send is not None
    sending = msgspec.structs.replace(row.send, message_id="chosen", application="planner")
    await keep(store, msgspec.structs.replace(row, send=sending))

    (message,) = await claim(store)

    assert (message.message_id, message.application) == ("chosen", "planner")
    assert story(await status(store)) == [(COMPONENT, "ACCEPTED")]


def confirming(message_id: str, sender: str = ALPHA) -> Row:
    return Row(view="inbox", audience=BRAVO, key=message_id, payload=None, confirms=(sender, message_id))


def kinds(messages: Sequence[OutgoingMessage]) -> list[tuple[str, str | None]]:
    return [(message.internal_type, message.related) for message in messages]


async def test_a_message_that_is_not_confirmed_gets_its_delivery_acknowledgement_only(store: Store) -> None:
    await keep(store, inbox=[taken_in("m1", confirmed=False), taken_in("m2")])

    assert kinds(await publish(store)) == [
        (InternalType.DELIVERY, "m1"),
        (InternalType.DELIVERY, "m2"),
        (InternalType.RECEIVE, "m2"),
    ]
    await store.commit.replay_acknowledgements(ALPHA, "m1", now=later(5))
    assert kinds(await claim(store, now=later(5))) == [(InternalType.DELIVERY, "m1")]


async def test_the_receive_acknowledgement_leaves_once_when_a_row_confirms(store: Store) -> None:
    entry = msgspec.structs.replace(taken_in("m1", confirmed=False), manifest=b"signed")
    await keep(store, inbox=[entry])
    (delivery,) = await publish(store)

    await keep(store, confirming("m1"), at=later(9))
    await keep(store, confirming("m1"), at=later(10))

    (receive,) = await claim(store, now=later(20))
    assert (receive.internal_type, receive.related, receive.receiver) == (InternalType.RECEIVE, "m1", ALPHA)
    assert (receive.accepted, receive.urgent) == (later(9), True)
    assert (receive.related_digest, receive.related_manifest) == (entry.digest, hexdigest(b"signed"))
    assert receive.related_manifest == delivery.related_manifest


async def test_a_row_confirms_nothing_that_was_not_taken_in_from_that_sender(store: Store) -> None:
    await keep(store, inbox=[taken_in("m1", confirmed=False)])
    await publish(store)

    await keep(store, confirming("m1", sender=BRAVO), confirming("m2"))

    assert await claim(store) == []
