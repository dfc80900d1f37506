"""`tps tokens`: issue, list and withdraw tokens for a gateway's REST interface.

A secret is shown once and never stored.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

import click

from hub.clock import SystemClock
from hub.settings import GatewaySettings, Sources
from hub.store.postgres import PostgresStore
from hub.store.tokens import Token

SECRET_BYTES: Final = 32
SHORTEST_PREFIX: Final = 8
T = TypeVar("T")


@click.group()
def tokens() -> None:
    """Issue and withdraw tokens for the REST interfaces."""


@tokens.command("issue")
@click.option("--label", default="", help="What the token is for, to know it again.")
@click.option("--days", type=click.IntRange(min=1), default=None, help="Days until it expires; none: never.")
@click.pass_obj
def issue(sources: Sources, label: str, days: int | None) -> None:
    """Make a new token and print it. Only its SHA-256 is stored."""
    from gateways.gateway import identity  # noqa: PLC0415 - `tps tokens --help` need not load a web server

    settings = sources.load(GatewaySettings)
    secret, now = secrets.token_urlsafe(SECRET_BYTES), SystemClock().now()
    expires = now + timedelta(days=days) if days else None
    me = identity(settings).me.id
    _with_store(settings, lambda s: s.tokens.record(secret, participant=me, label=label, now=now, expires=expires))
    click.echo(secret)


@tokens.command("list")
@click.pass_obj
def list_(sources: Sources) -> None:
    """Show all tokens by their fingerprint."""
    now = SystemClock().now()
    for token in _with_store(sources.load(GatewaySettings), lambda store: store.tokens.list()):
        expires = f"{token.expires:%Y-%m-%d}" if token.expires else "never"
        click.echo(
            f"{token.fingerprint[:16]}  {token.created:%Y-%m-%d}  {expires:10}  {_state(token, now)}  {token.label}"
        )


@tokens.command("revoke")
@click.argument("fingerprint")
@click.pass_obj
def revoke(sources: Sources, fingerprint: str) -> None:
    """Withdraw the token whose fingerprint begins like this (at least 8 characters)."""
    if len(fingerprint) < SHORTEST_PREFIX:
        raise click.UsageError(f"{fingerprint!r} is too short; give at least {SHORTEST_PREFIX} characters.")
    if not _with_store(sources.load(GatewaySettings), lambda store: _revoke(store, fingerprint)):
        click.echo(f"No valid token has a fingerprint that begins with {fingerprint}. See `tps tokens list`.", err=True)
        raise click.exceptions.Exit(1)
    click.echo("Revoked.")


async def _revoke(store: PostgresStore, prefix: str) -> bool:
    found = [token for token in await store.tokens.list() if token.fingerprint.startswith(prefix)]
    return len(found) == 1 and await store.tokens.revoke(found[0].fingerprint, now=SystemClock().now())


def _state(token: Token, now: datetime) -> str:
    if token.revoked:
        return "revoked"
    return "expired" if token.expires and token.expires <= now else "valid  "


def _with_store(settings: GatewaySettings, work: Callable[[PostgresStore], Awaitable[T]]) -> T:
    from gateways.process import opened_store  # noqa: PLC0415 - loads the broker's client

    async def run() -> T:
        async with opened_store(settings) as store:
            return await work(store)

    return asyncio.run(run())
