"""What every store promises of raw documents that are to be erased (hub.ports.Payloads)."""

from datetime import UTC, datetime, timedelta

from hub.ports import Batch, InboxEntry
from hub.store.codec import digest_of
from tests.fixtures_store import Store

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
ALPHA, BRAVO = "A01:ALPHA", "A01:BRAVO"


async def given(store: Store, *messages: tuple[str, str, datetime, bytes]) -> None:
    """Messages taken in: (sender, message id, when, the document)."""
    entries = tuple(
        InboxEntry(
            sender=sender,
            message_id=message_id,
            business_type="TPS-ASSETS",
            document=message_id,
            digest=digest_of(content),
            received=received,
            expires=received + timedelta(hours=1),
        )
        for sender, message_id, received, content in messages
    )
    contents = tuple(content for *_, content in messages)
    await store.commit.commit(Batch(after=0, at=NOON, inbox=entries, payloads=contents))


async def erasable(store: Store, *, before: datetime | None = None, sender: str | None = None) -> set[str]:
    return {each.digest for each in await store.payloads.erasable(before=before, sender=sender)}


async def test_documents_are_found_by_age_by_sender_and_by_both(store: Store) -> None:
    old, new = NOON - timedelta(days=10), NOON
    await given(store, (ALPHA, "1", old, b"a old"), (ALPHA, "2", new, b"a new"), (BRAVO, "3", old, b"b old"))
    limit = NOON - timedelta(days=1)

    assert await erasable(store, before=limit) == {digest_of(b"a old"), digest_of(b"b old")}
    assert await erasable(store, sender=ALPHA) == {digest_of(b"a old"), digest_of(b"a new")}
    assert await erasable(store, before=limit, sender=ALPHA) == {digest_of(b"a old")}
    assert await erasable(store, before=old) == set()


async def test_a_document_that_another_message_brought_too_is_spared(store: Store) -> None:
    old = NOON - timedelta(days=10)
    await given(store, (ALPHA, "1", old, b"same"), (ALPHA, "2", NOON, b"same"), (BRAVO, "3", old, b"same too"))

    assert await erasable(store, before=NOON) == {digest_of(b"same too")}


async def test_sizes_and_order_are_told_and_at_most_so_many(store: Store) -> None:
    contents = [bytes(length) for length in (1, 20, 300)]
    await given(store, *((ALPHA, str(len(content)), NOON, content) for content in contents))

    found = await store.payloads.erasable(before=None, sender=ALPHA, limit=2)

    assert [each.digest for each in found] == sorted(map(digest_of, contents))[:2]
    assert all(len(contents[[digest_of(c) for c in contents].index(each.digest)]) == each.size for each in found)


async def test_what_is_erased_is_gone_and_the_rest_stays(store: Store) -> None:
    await given(store, (ALPHA, "1", NOON, b"one"), (ALPHA, "2", NOON, b"two"))

    assert await store.payloads.erase([digest_of(b"one"), digest_of(b"never there")]) == 1

    assert await store.payload(digest_of(b"one")) is None
    assert await store.payload(digest_of(b"two")) == b"two"
    assert await erasable(store, sender=ALPHA) == {digest_of(b"two")}
