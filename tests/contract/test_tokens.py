"""What every store promises of bearer tokens, of what they were last answered (R33), and of its own facts."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from documents.values import Identifier
from hub.store.postgres import PostgresStore
from hub.store.tokens import fingerprint_of
from tests.fixtures_store import COMPONENT, DatabaseUrl, Store

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ALPHA, BRAVO = Identifier("A01:ALPHA"), Identifier("A01:BRAVO")


async def test_a_token_speaks_for_its_participant(store: Store) -> None:
    token = await store.tokens.record("secret", participant=ALPHA, label="control room", now=NOW)

    assert await store.tokens.lookup("secret", now=NOW) == token
    assert (token.participant, token.label, token.created) == (ALPHA, "control room", NOW)
    assert await store.tokens.lookup("another secret", now=NOW) is None


async def test_an_expired_token_is_like_an_unknown_one(store: Store) -> None:
    await store.tokens.record("secret", participant=ALPHA, label="", now=NOW, expires=NOW + timedelta(days=1))

    assert await store.tokens.lookup("secret", now=NOW + timedelta(hours=23)) is not None
    assert await store.tokens.lookup("secret", now=NOW + timedelta(days=1)) is None


async def test_a_revoked_token_is_like_an_unknown_one(store: Store) -> None:
    token = await store.tokens.record("secret", participant=ALPHA, label="", now=NOW)

    assert await store.tokens.revoke(token.fingerprint, now=NOW)
    assert not await store.tokens.revoke(token.fingerprint, now=NOW)
    assert not await store.tokens.revoke("00" * 32, now=NOW)
    assert await store.tokens.lookup("secret", now=NOW) is None


async def test_tokens_are_listed_oldest_first_without_their_secrets(store: Store) -> None:
    await store.tokens.record("second", participant=ALPHA, label="b", now=NOW + timedelta(1))
    await store.tokens.record("first", participant=ALPHA, label="a", now=NOW)
    await store.tokens.record("third", participant=BRAVO, label="c", now=NOW + timedelta(2))

    assert [token.label for token in await store.tokens.list()] == ["a", "b", "c"]
    listed = await store.tokens.list(ALPHA)
    assert [token.fingerprint for token in listed] == [fingerprint_of("first"), fingerprint_of("second")]
    assert "first" not in repr(listed)


async def test_a_secret_in_use_is_refused(store: Store) -> None:
    await store.tokens.record("secret", participant=ALPHA, label="", now=NOW)

    with pytest.raises(ValueError, match="in use"):
        await store.tokens.record("secret", participant=BRAVO, label="", now=NOW)


async def test_r33_a_token_remembers_what_it_was_last_answered_and_never_goes_back(store: Store) -> None:
    one = (await store.tokens.record("one", participant=ALPHA, label="", now=NOW)).fingerprint
    two = (await store.tokens.record("two", participant=ALPHA, label="", now=NOW)).fingerprint

    await store.tokens.set_positions({(one, "limits"): 7, (one, "schedules"): 2, (two, "limits"): 1})
    await store.tokens.set_positions({(one, "limits"): 5, (two, "limits"): 3})

    assert await store.tokens.positions(one) == {"limits": 7, "schedules": 2}
    assert await store.tokens.positions(two) == {"limits": 3}
    assert await store.tokens.positions("00" * 32) == {}


async def test_r33_what_many_were_answered_at_once_is_remembered_of_each(store: Store) -> None:
    known = [await store.tokens.record(f"t{n}", participant=ALPHA, label="", now=NOW) for n in range(20)]

    async with asyncio.TaskGroup() as tasks:
        for number, token in enumerate(known):
            for sequence in (number, number + 1):
                tasks.create_task(store.tokens.set_positions({(token.fingerprint, "limits"): sequence}))

    found = [(await store.tokens.positions(token.fingerprint))["limits"] for token in known]
    assert found == list(range(1, 21))


async def test_the_database_never_sees_a_secret(database_url: DatabaseUrl) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=COMPONENT) as store:
        await store.tokens.record("a very secret secret", participant=ALPHA, label="label", now=NOW)

    connection = await asyncpg.connect(url)
    (record,) = await connection.fetch("select * from tps.token")
    await connection.close()
    assert "secret" not in repr(record)


async def test_facts_about_a_store_can_be_kept_and_changed(store: Store) -> None:
    assert await store.meta("view.limits") is None

    await store.set_meta("view.limits", "1")
    await store.set_meta("view.limits", "2")

    assert await store.meta("view.limits") == "2"
