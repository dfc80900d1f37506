"""`tps points`: hand connection points over (R6)."""

import click

from hub.commands import ReassignPoint
from hub.settings import Sources
from hub.verbs.operating import BY, WHY, decide, party, resource


@click.group()
def points() -> None:
    """Hand connection points over from one grid operator to another."""


@points.command()
@click.argument("point")
@click.option("--to", "to", required=True, metavar="DSO", help="Whose point it is from now on.")
@WHY
@BY
@click.pass_obj
def reassign(sources: Sources, point: str, to: str, why: str, by: str) -> None:
    """Hand POINT over to another grid operator, without a gap and without the old one's help."""
    changed = decide(
        sources,
        lambda settings: ReassignPoint(point=resource(point, settings), to=party(to, settings), why=why, by=by),
    )
    click.echo(f"{point} {'now belongs' if changed else 'already belongs'} to {to}.")
