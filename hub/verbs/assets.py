"""`tps assets`: hand assets over (R6)."""

import click

from hub.commands import ReassignResource
from hub.settings import Sources
from hub.verbs.operating import BY, WHY, decide, party, resource


@click.group()
def assets() -> None:
    """Hand assets over from one aggregator to another."""


@assets.command()
@click.argument("asset")
@click.option("--to", "to", required=True, metavar="AGR", help="Who operates it from now on.")
@WHY
@BY
@click.pass_obj
def reassign(sources: Sources, asset: str, to: str, why: str, by: str) -> None:
    """Hand ASSET over to another aggregator, without a gap and without the old one's help."""
    changed = decide(
        sources,
        lambda settings: ReassignResource(resource=resource(asset, settings), to=party(to, settings), why=why, by=by),
    )
    click.echo(f"{asset} is {'now' if changed else 'already'} operated by {to}.")
