"""A component's database with messages in it, and its operator's commands on it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from click.testing import CliRunner, Result

from documents.values import Identifier
from hub.cli import tps
from hub.ports import Batch, NewEvent, Row, SealedMessage, Sending
from hub.store.postgres import PostgresStore
from tests.system import HUB, MARKET

ALPHA = "45X-AGR-ALPHA--N"
HUB_CODE, ALPHA_CODE, NORTH_CODE = (
    Identifier(f"A01:{HUB}"),
    Identifier(f"A01:{ALPHA}"),
    Identifier("A10:5790000000005"),
)
HUB_SETTINGS = {"TPS__HUB__ID": HUB, "TPS__HUB__SECRET": MARKET.secret.reveal()}
GATEWAY_SETTINGS = {
    "TPS__PARTICIPANT__ID": ALPHA,
    "TPS__PARTICIPANT__ROLE": "AGR",
    "TPS__GATEWAY__HUB_ID": HUB,
}


async def run(url: str, *arguments: str, settings: dict[str, str] | None = None, code: int = 0) -> str:
    """What one command printed; it must end with `code`."""
    environment = {"TPS__DATABASE__URL": url, **(settings or HUB_SETTINGS)}
    result: Result = await asyncio.to_thread(
        CliRunner(env=environment).invoke, tps, arguments, auto_envvar_prefix="TPS", prog_name="tps"
    )
    assert result.exit_code == code, f"{result.output}{result.exception!r}"
    return result.output


async def queue(
    store: PostgresStore, *documents: str, receiver: Identifier = ALPHA_CODE, lives_s: float = 3600
) -> Sequence[str]:
    """Put documents on their way from now on; the ids of their messages."""
    head, now = await store.log.head(), datetime.now(UTC)
    expires = now + timedelta(seconds=lives_s)
    sending = [Sending(business_type="TPS-FORESEEN", document=each, expires=expires, urgent=True) for each in documents]
    rows = [
        (head, Row(view="limits", audience=receiver, key=send.document, payload={"of": send.document}, send=send))
        for send in sending
    ]
    await store.commit.commit(Batch(after=head, at=now, rows=tuple(rows)))
    return [status.message_id for each in documents for status in (await store.outbox.status(each))[-1:]]


async def publish(store: PostgresStore, *, confirm: bool = True) -> None:
    """As an endpoint does: claim, seal, and (`confirm`) hear from the broker that it has them."""
    now = datetime.now(UTC)
    claimed = await store.outbox.claim(urgent=True, limit=100, now=now, lease_s=60)
    await store.outbox.sealed(
        [
            SealedMessage(
                message_id=each.message_id, body=b"<document/>", sealed=b"s", sealed_for="c", manifest_digest="ab"
            )
            for each in claimed
        ]
    )
    if confirm:
        await store.outbox.transported([each.message_id for each in claimed], now=now)


async def happen(store: PostgresStore, topic: str, state: bytes, stream: str = "s") -> None:
    """Put one event into the log."""
    head = await store.log.head()
    event = NewEvent(stream=stream, version=head + 1, topic=topic, state=state, cause="test")
    await store.commit.commit(Batch(after=head, at=datetime.now(UTC), events=(event,)))
