"""`tps tokens`: issue, list and withdraw tokens for a gateway's REST interface.

A secret is shown once and never stored.
"""

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from gateways.commands import Note
from gateways.events import TokenIssued, TokenRevoked
from gateways.verbs.operating import with_log, with_store
from hub.clock import SystemClock
from hub.settings import GatewaySettings, Sources
from hub.store.tokens import Token, fingerprint_of
from hub.verbs.operating import BY, MAY_WHY, WHY, operator
from hub.verbs.texts import DAYS_MAX, Words

if TYPE_CHECKING:
    from hub.desk import Desk
    from hub.store.postgres import PostgresStore

SECRET_BYTES: Final = 32
SHORTEST_PREFIX: Final = 8


@click.group()
def tokens() -> None:
    """Issue and withdraw tokens for the REST interfaces."""


@tokens.command("issue")
@click.option("--label", type=Words(), default="", help="What the token is for, to know it again.")
@click.option("--days", type=click.IntRange(1, DAYS_MAX), default=None, help="Days until it expires; none: never.")
@MAY_WHY
@BY
@click.pass_obj
def issue(sources: Sources, *, label: str, days: int | None, why: str, by: str) -> None:
    """Make a new token and print it. Only its SHA-256 is stored, and that it was issued is an event."""
    from gateways.gateway import identity  # noqa: PLC0415 - `tps tokens --help` need not load a web server

    settings = sources.load(GatewaySettings)
    secret, now = secrets.token_urlsafe(SECRET_BYTES), SystemClock().now()
    expires = now + timedelta(days=days) if days else None
    issued = TokenIssued(fingerprint=fingerprint_of(secret), label=label, expires=expires, why=why, by=by)

    async def work(desk: "Desk", store: "PostgresStore") -> None:
        await desk.submit(Note(done=issued), cause=f"cli/{operator()}")
        me = identity(settings).me.id
        await store.tokens.record(secret, participant=me, label=label, now=now, expires=expires)

    with_log(settings, work)
    click.echo(secret)


@tokens.command("list")
@click.pass_obj
def list_(sources: Sources) -> None:
    """Show all tokens by their fingerprint."""
    now = SystemClock().now()
    for token in with_store(sources.load(GatewaySettings), lambda store: store.tokens.list()):
        expires = f"{token.expires:%Y-%m-%d}" if token.expires else "never"
        click.echo(
            f"{token.fingerprint[:16]}  {token.created:%Y-%m-%d}  {expires:10}  {_state(token, now)}  {token.label}"
        )


@tokens.command("revoke")
@click.argument("fingerprint")
@WHY
@BY
@click.pass_obj
def revoke(sources: Sources, *, fingerprint: str, why: str, by: str) -> None:
    """Withdraw the token whose fingerprint begins like this (at least 8 characters)."""
    if len(fingerprint) < SHORTEST_PREFIX:
        raise click.UsageError(f"{fingerprint!r} is too short; give at least {SHORTEST_PREFIX} characters.")

    async def work(desk: "Desk", store: "PostgresStore") -> bool:
        open_ = [token for token in await store.tokens.list() if token.revoked is None]
        found = [token for token in open_ if token.fingerprint.startswith(fingerprint)]
        if len(found) != 1:
            return False
        event = TokenRevoked(fingerprint=found[0].fingerprint, label=found[0].label, why=why, by=by)
        await desk.submit(Note(done=event), cause=f"cli/{operator()}")
        return await store.tokens.revoke(found[0].fingerprint, now=SystemClock().now())

    if not with_log(sources.load(GatewaySettings), work):
        click.echo(f"No valid token has a fingerprint that begins with {fingerprint}. See `tps tokens list`.", err=True)
        raise click.exceptions.Exit(1)
    click.echo("Revoked.")


def _state(token: Token, now: datetime) -> str:
    if token.revoked:
        return "revoked"
    return "expired" if token.expires and token.expires <= now else "valid  "
