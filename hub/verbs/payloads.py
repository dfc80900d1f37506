"""`tps payloads`: raw documents go by age or by who sent them; the log keeps digests, and who erased them and why."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec import Struct

from documents.values import Identifier
from hub.clock import SystemClock
from hub.commands import ErasePayloads
from hub.retention import Retention
from hub.settings import HubSettings, Sources
from hub.verbs.operating import BY, WHY, operator, party, with_log
from hub.verbs.texts import DAYS_MAX

if TYPE_CHECKING:
    from hub.desk import Desk
    from hub.ports import Payloads
    from hub.store.postgres import PostgresStore

EVERYTHING = 2**31 - 1


class Erasure(Struct, frozen=True):
    """What `--json` prints: how many documents were, or would be, erased, and by what they were chosen."""

    documents: int
    bytes: int
    before: datetime | None
    participant: str | None
    erased: bool


@click.group()
def payloads() -> None:
    """Erase raw documents; the log keeps their digests and who erased them."""


@payloads.command()
@click.option("--days", type=click.IntRange(0, DAYS_MAX), help="Those that came more than so many days ago.")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    default=None,
    help="Those that came before (UTC).",
)
@click.option("--participant", help="Those that this participant sent.")
@WHY
@BY
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def erase(
    sources: Sources,
    *,
    days: int | None,
    before: datetime | None,
    participant: str | None,
    why: str,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Erase the raw documents that fit every option given: by age, by participant, or both.

    The documents cannot be brought back. Events, rows and evidence of delivery stay, and the log still verifies.
    """
    limit = _limit(days, before)
    if limit is None and participant is None:
        raise click.UsageError("Say which: give --days, --before or --participant.")

    async def work(desk: "Desk", store: "PostgresStore", settings: HubSettings) -> Erasure:
        who = party(participant, settings) if participant else None
        found = await store.payloads.erasable(before=limit, sender=who, limit=EVERYTHING)
        size = sum(each.size for each in found)
        if dry_run:
            return Erasure(len(found), size, limit, who, erased=False)
        erased = await _erase(desk, store.payloads, before=limit, participant=who, why=why, by=by)
        return Erasure(erased, size, limit, who, erased=True)

    erasure = with_log(sources, work)
    if as_json:
        click.echo(msgspec.json.encode(erasure))
        return
    told = "erased" if erasure.erased else "would be erased"
    click.echo(f"{erasure.documents:,} raw documents ({erasure.bytes:,} bytes) {told}.")


async def _erase(
    desk: "Desk",
    kept: "Payloads",
    *,
    before: datetime | None,
    participant: Identifier | None,
    why: str,
    by: str,
) -> int:
    async def submit(command: ErasePayloads) -> None:
        await desk.submit(command, cause=f"cli/{operator()}")

    return await Retention(kept, submit, SystemClock()).erase(before=before, participant=participant, why=why, by=by)


def _limit(days: int | None, before: datetime | None) -> datetime | None:
    """The earlier of both instants: every option must fit."""
    instants = [before.replace(tzinfo=UTC)] if before else []
    if days is not None:
        instants.append(SystemClock().now() - timedelta(days=days))
    return min(instants, default=None)
