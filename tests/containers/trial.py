"""What is tried on the running platform, one thing after the other; each ends with figures, or with what was wrong."""

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from tests.containers.disturbed import failover, rolling, upgrade, vanishes
from tests.containers.engine import Engine
from tests.containers.quiet import Figures, day, disaster, networks, pages, starts, stops, watching
from tests.containers.site import Site

Stage = Callable[[Site], Awaitable[Figures]]
STAGES: Final[tuple[Stage, ...]] = (
    *(starts, day, networks, pages, watching),
    *(rolling, failover, vanishes, upgrade),
    *(disaster, stops),
)


async def trial(site: Site, stages: Sequence[Stage]) -> int:
    """Everything in order; prints a table, and returns how many things went wrong."""
    table = Table("what", "figure", "found", title="Containers", title_justify="left")
    failed = 0
    for each in stages:
        click.echo(f"{each.__name__}: {(each.__doc__ or '').strip()}")
        try:
            figures = await each(site)
        except Exception:  # one that fails must not hide what the others find
            failed += 1
            traceback.print_exc()
            click.echo(site.complaints())
            figures = {"FAILED": "see above"}
        for name, found in figures.items():
            table.add_row(each.__name__, name, found)
    Console(file=sys.stdout, highlight=False).print(table)
    click.echo(f"{len(stages) - failed} passed, {failed} failed")
    return failed


def _chosen(names: Sequence[str]) -> Sequence[Stage]:
    return [each for each in STAGES if each.__name__ in names] or STAGES


if __name__ == "__main__":
    pid, *names = sys.argv[1:]
    sys.exit(1 if asyncio.run(trial(Site(Engine(int(pid))), _chosen(names))) else 0)
