"""The soak: everybody writes for minutes while the broker is killed (SIGKILL) and started again every minute.

    make soak                   ten minutes; prints a table; ends with 0 when nothing is lost, doubled or left behind
    make soak ARGS="--minutes 30"

Everything runs on this machine and listens on its loopback only. It is started by hand: no test run waits for it.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from hub import logs
from tests.fault.clients import Judged
from tests.fault.processes import Site, site

EVERY_S = 60.0
BREATH_S = 10.0
"""For writes after the last outage."""
SETTLED_WITHIN_S = 300.0


class Outage(Struct, frozen=True):
    """One kill of the broker, and when it answered again (monotonic seconds)."""

    killed_s: float
    back_s: float

    def recovery_s(self, judged: Sequence[Judged]) -> float:
        """From the broker's return until every stream of writes had its first verdict."""
        first = {each.stream: each.at_s for each in reversed(judged) if each.at_s >= self.back_s}
        return max(first.values(), default=self.back_s) - self.back_s


@click.command()
@click.option("--minutes", type=click.IntRange(1, 240), default=10, show_default=True)
def soak(minutes: int) -> None:
    """Write for MINUTES, kill the broker every minute, and say what came of it."""
    with tempfile.TemporaryDirectory(prefix="tps-soak-") as folder, (Path(folder) / "log").open("w") as log_file:
        logs.configure("info", "json", log_file)
        owed = asyncio.run(_soak(Path(folder), minutes))
    sys.exit(1 if owed else 0)


async def _soak(folder: Path, minutes: int) -> dict[str, list[str]]:
    outages: list[Outage] = []
    async with site(folder) as platform:
        async with platform.load.running():
            begun = time.monotonic()
            for minute in range(1, minutes + 1):
                await asyncio.sleep(max(0.0, begun + EVERY_S * minute - time.monotonic()))
                outages.append(await _outage(platform))
                click.echo(f"outage {minute} of {minutes}, {len(platform.clients.judged)} writes judged")
            await asyncio.sleep(BREATH_S)
        judged_s = time.monotonic()
        owed = await platform.settled(SETTLED_WITHIN_S)
        await _show(platform, outages, owed, time.monotonic() - judged_s)
    return owed


async def _outage(platform: Site) -> Outage:
    killed_s = time.monotonic()
    await platform.kill("broker", None)
    return Outage(killed_s, time.monotonic())


async def _show(platform: Site, outages: Sequence[Outage], owed: dict[str, list[str]], settling_s: float) -> None:
    judged = platform.clients.judged
    figures: dict[str, object] = {
        "writes judged": len(judged),
        "business messages taken in": len(await platform.books.taken_in()),
        "kills of the broker": len(outages),
        "lost": len(owed.get("lost", ())),
        "doubled": len(owed.get("doubled", ())),
        "came again (E-DUPLICATE)": await platform.clients.repeats(),
        "sent again on proof": await platform.books.resent(),
        "dead letters": len(owed.get("dead letters", ())),
        "left behind": len(owed.get("on their way", ())),
        "longest outage, s": f"{max(each.back_s - each.killed_s for each in outages):.1f}",
        "longest recovery after it, s": f"{max(each.recovery_s(judged) for each in outages):.1f}",
        "longest write, s": f"{max(each.took_s for each in judged):.1f}",
        "quiet after the last verdict, s": f"{settling_s:.1f}",
    }
    table = Table("what", "found", title="Soak", title_justify="left")
    for what, found in figures.items():
        table.add_row(what, str(found))
    Console(file=sys.stdout, highlight=False).print(table)
    for what, items in owed.items():
        click.echo(f"{what}: {len(items)}, for example {items[:3]}", err=True)


if __name__ == "__main__":
    soak()
