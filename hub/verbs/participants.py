"""`tps participants`: who takes part (R1)."""

from typing import TYPE_CHECKING, Final

import click
import msgspec

from documents import identifiers
from hub.commands import AddParticipant, ResumeParticipant, SuspendParticipant
from hub.ports import OPERATOR, Scope
from hub.rows import PARTICIPANTS, Participant
from hub.settings import HubSettings, Sources
from hub.values import Role
from hub.verbs.operating import BY, WHY, decide, party, with_log
from hub.verbs.texts import Words

if TYPE_CHECKING:
    from hub.store.postgres import PostgresStore

ROLES: Final = [role.value for role in Role]
PARTICIPANTS_MAX: Final = 100_000


@click.group()
def participants() -> None:
    """Add and list market participants."""


@participants.command()
@click.argument("participant")
@click.argument("role", type=click.Choice(ROLES, case_sensitive=False))
@click.option("--name", type=Words(), default="", help="What people call it; seen by the operator only.")
@click.option("--brp", help="An aggregator's balance responsible party.")
@click.option("--why", type=Words(), default="", help="The reason, kept in the log: the contract, say.")
@BY
@click.pass_obj
def add(sources: Sources, *, participant: str, role: str, name: str, brp: str | None, why: str, by: str) -> None:
    """Admit PARTICIPANT (an EIC or GLN) as DSO, AGR or BRP, or change its name or BRP."""
    changed = decide(
        sources,
        lambda settings: AddParticipant(
            participant=party(participant, settings),
            role=Role(role.upper()),
            name=name,
            brp=party(brp, settings) if brp else None,
            why=why,
            by=by,
        ),
    )
    click.echo(f"{participant} is {'now ' if changed else 'already '}{role.upper()}.")


@participants.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs and `tps directory approve`.")
@click.pass_obj
def list_(sources: Sources, *, as_json: bool) -> None:
    """List every participant: id, role, BRP, name."""

    async def everybody(_: object, store: "PostgresStore", settings: HubSettings) -> list[str]:
        items = await store.rows.list(Scope(OPERATOR), PARTICIPANTS, limit=PARTICIPANTS_MAX)
        rows = [msgspec.msgpack.decode(item.payload, type=Participant) for item in items if item.payload]
        if as_json:
            return [msgspec.json.encode(rows).decode()]
        return [_line(row, settings.hub.national_scheme) for row in rows]

    for line in with_log(sources, everybody):
        click.echo(line)


@participants.command()
@click.argument("participant")
@WHY
@BY
@click.pass_obj
def suspend(sources: Sources, participant: str, why: str, by: str) -> None:
    """Refuse what PARTICIPANT sends; it still receives limits."""
    changed = decide(
        sources,
        lambda settings: SuspendParticipant(participant=party(participant, settings), why=why, by=by),
    )
    click.echo(f"{participant} is {'now' if changed else 'already'} suspended.")


@participants.command()
@click.argument("participant")
@WHY
@BY
@click.pass_obj
def resume(sources: Sources, participant: str, why: str, by: str) -> None:
    """Take again what PARTICIPANT sends."""
    changed = decide(
        sources,
        lambda settings: ResumeParticipant(participant=party(participant, settings), why=why, by=by),
    )
    click.echo(f"{participant} is {'no longer' if changed else 'not'} suspended.")


def _line(row: Participant, national: str) -> str:
    shown = [identifiers.display(row.participant, national=national), row.role.value]
    shown.append(identifiers.display(row.brp, national=national) if row.brp else "-")
    return "  ".join([*shown, row.name, "(suspended)" if row.suspended else ""]).rstrip()
