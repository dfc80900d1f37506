"""`tps events prove`: a proof for who cannot read the log (hub/verbs/verify_proof.py reads it)."""

import asyncio
from typing import TYPE_CHECKING, Final

import click
import msgspec

from hub.audit.checkpoints import log_name
from hub.audit.documents import TOLD, owner_of
from hub.audit.proofs import FORMAT, Proof
from hub.settings import HubSettings, Sources
from hub.verbs.operating import party
from hub.verbs.texts import POSITION, POSITION_MAX

if TYPE_CHECKING:
    from hub.app.proving import Prover
    from hub.ports import StoredEvent
    from hub.store.postgres import PostgresStore

AUDITOR: Final = "auditor"
ANYBODY: Final = "anybody"
"""Checkpoints alone say nothing of what is in the log."""
REPEATED: Final = TOLD[-1]


@click.command()
@click.argument("event", required=False)
@click.option("--sender", help="Whose message it is, where several have used the mRID.")
@click.option(
    "--since",
    type=POSITION,
    metavar="RECORDS",
    help="Also prove that the log continues the one at this checkpoint.",
)
@click.option("--auditor", "for_auditor", is_flag=True, help="Any record: the proof may be given to no participant.")
@click.option("--json", is_flag=True, expose_value=False, help="A proof is JSON anyway.")
@click.pass_obj
def prove(sources: Sources, *, event: str | None, sender: str | None, since: int | None, for_auditor: bool) -> None:
    """Print a proof that EVENT is in the log: a position, or the mRID of a message.

    The proof is for who sent the message: it shows what it said and was answered, and nothing of others. With --since
    and without EVENT it shows only that the log was continued. It is read by the script verify_proof.py, see
    docs/audit.md.

    Exit codes: 0 printed, 1 not found or under no checkpoint yet, 2 wrong usage or settings.
    """
    from hub import app, logs  # noqa: PLC0415 - `--help` need not load a database's client
    from hub.app.proving import NoCheckpoint, Prover  # noqa: PLC0415
    from hub.errors import LogCorrupt  # noqa: PLC0415

    if not (event or since):
        raise click.UsageError("Say what to prove: EVENT, or --since.")
    settings = sources.load(HubSettings)
    logs.configure("warning", settings.log.format)
    named = party(sender, settings) if sender else None

    async def run() -> Proof:
        async with app.reading(settings) as store:
            prover = Prover(store, log=log_name(app.hub_id(settings.hub)), salts=app.salts_of(settings.hub))
            found = await _found(prover, store, event, named) if event else None
            return await _proof(prover, found, since, for_auditor=for_auditor)

    try:
        proof = asyncio.run(run())
    except (NoCheckpoint, LogCorrupt) as error:
        raise click.ClickException(str(error)) from error
    click.echo(msgspec.json.format(msgspec.json.encode(proof)).decode())


async def _found(prover: "Prover", store: "PostgresStore", event: str, sender: str | None) -> "StoredEvent":
    """The record that is meant. Ends with 1 when there is none, with 2 when several are."""
    if event.isdecimal() and sender is None:
        if int(event) <= POSITION_MAX and (found := await prover.record(int(event))):
            return found
        raise click.ClickException(f"The log has no position {event}.")
    positions = await store.log.documents(event, sender=sender)
    records = [found for position in positions if (found := await prover.record(position))]
    shown = [found for found in records if found.topic in TOLD]
    if not shown:
        raise click.ClickException(f"The log has no record of a message {event}.")
    if len({owner_of(found) for found in shown}) > 1:
        raise click.UsageError(f"Several participants have sent a message {event}. Name one with --sender.")
    # The newest verdict; a repeat only tells that the same came again.
    return next((found for found in reversed(shown) if found.topic != REPEATED), shown[-1])


async def _proof(prover: "Prover", found: "StoredEvent | None", since: int | None, *, for_auditor: bool) -> Proof:
    audience = (AUDITOR if for_auditor else owner_of(found)) if found else ANYBODY
    if found and audience is None:
        raise click.ClickException(
            f"Position {found.position} is a {found.topic}, which may be shown to no participant. "
            "Give --auditor for a proof that is not for one."
        )
    checkpoint = await prover.holding(max(found.position, since or 0)) if found else await prover.newest()
    older = await prover.exactly(since) if since else None
    return Proof(
        format=FORMAT,
        audience=audience or AUDITOR,
        checkpoint=await prover.signed(checkpoint),
        inclusion=await prover.inclusion(found, checkpoint) if found else None,
        consistency=await prover.consistency(older, checkpoint) if older else None,
    )
