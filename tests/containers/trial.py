"""What is tried on the running platform, one thing after the other; each ends with figures, or with what was wrong."""

import asyncio
import sys
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import click
from rich.console import Console
from rich.table import Table

from gateways.demo.cast import AGRS, ALPHA, ASSETS, DSOS, HEAT_PUMP, NORTH, PLAYERS
from gateways.demo.founding import Platform
from tests.containers.engine import Engine
from tests.containers.site import HUBS, Site
from tests.fault.clients import JSON, Clients
from tests.fault.load import Load, assets_in, limits_in, plans_in

PARTS: Final = ("hub", "hub-standby", "directory", *(player.name for player in PLAYERS), "broker", "postgres")
BREATH_S: Final = 5.0
"""Of load between two restarts, and after the last one."""
SETTLED_WITHIN_S: Final = 180.0
AFTER_THE_DAY: Final = timedelta(days=8)
"""Where nothing of the sample day is in the way."""
POLL_S: Final = 60
Figures = Mapping[str, str]


async def starts(site: Site) -> Figures:
    """One command founds the platform and starts it; a second one changes nothing."""
    first = site.timed("up", "--detach", "--wait")
    again = site.timed("up", "--detach", "--wait")
    return {"from nothing to healthy": _s(first), "the same command again": _s(again)}


async def day(site: Site) -> Figures:
    """The sample day over REST, each participant checked."""
    begun = time.monotonic()
    text = site.sample_day()
    right = text.count("as it must be")
    assert (right, text.count("WRONG")) == (10, 0), text
    return {"views as they must be": f"{right} of 10", "sample day": _s(time.monotonic() - begun)}


async def networks(site: Site) -> Figures:
    """F1: a gateway reaches broker, directory and its database, and nobody else, by name or by address."""
    open_ = [("broker", 5671), ("directory", 8443), ("postgres", 5432)]
    shut = [("hub", 8080), ("north", 8080), ("broker", 15672), ("directory", 8080)]
    shut += [(site.address("hub", "platform"), 8080), (site.address("north", "north"), 8080)]
    shut += [(site.address("directory", "operators"), 8080), (site.address("broker", "alpha"), 15672)]
    missing = [each for each in open_ if not site.reaches("alpha", *each)]
    leaking = [each for each in shut if site.reaches("alpha", *each)]
    assert (missing, leaking) == ([], []), f"not reached: {missing}; reached: {leaking}"
    return {"doors open to a gateway": str(len(open_)), "doors shut to it": str(len(shut))}


async def rolling(site: Site) -> Figures:
    """Every part is replaced under load, and the hub that works is killed: nothing is lost, nothing is doubled."""
    taken: dict[str, float] = {}
    async with _clients(site.platform()) as clients:
        load = Load(clients, ahead=AFTER_THE_DAY)
        await load.prepare()
        before = await _told(clients)
        async with load.running():
            for part in PARTS:
                await asyncio.sleep(BREATH_S)
                taken[part] = await asyncio.to_thread(site.replace, part)
                click.echo(f"  replaced {part} in {taken[part]:.1f} s, {len(clients.judged)} writes judged")
            victim = await asyncio.to_thread(site.leader)
            await asyncio.to_thread(site.engine.run, "docker", "kill", site.container(victim))
            await asyncio.sleep(BREATH_S)
            await asyncio.to_thread(site.compose, "up", "--detach", "--wait", "--no-deps", victim)
            await asyncio.sleep(BREATH_S)
        owed = await _settled(clients, load, before)
        assert owed == {}, owed
        writes = len(clients.judged)
        longest = max(each.took_s for each in clients.judged)
    assert site.dead_letters() == "Dead letters: 0."
    return {
        "parts replaced under load": str(len(taken)),
        "longest replacement": f"{max(taken, key=lambda name: taken[name])} {_s(max(taken.values()))}",
        "writes judged": str(writes),
        "lost, doubled, gaps, dead letters": "0, 0, 0, 0",
        "longest write": _s(longest),
    }


async def failover(site: Site) -> Figures:
    """The hub that works is killed while every aggregator waits in a long poll: it goes on, and is answered."""
    victim = site.leader()
    (heir,) = set(HUBS) - {victim}
    async with _clients(site.platform()) as clients:
        cursor = {agr.name: await _newest(clients, agr.name) for agr in AGRS}
        poll = asyncio.create_task(_poll(clients, ALPHA.name, cursor[ALPHA.name]))
        others = [asyncio.create_task(_poll(clients, agr.name, cursor[agr.name], wait_s=30)) for agr in AGRS[1:]]
        await asyncio.sleep(2.0)
        killed = time.monotonic()
        await asyncio.to_thread(site.engine.run, "docker", "kill", site.container(victim))
        announcing = asyncio.create_task(_announce(clients))
        while await asyncio.to_thread(site.health, heir) != "ready":
            assert time.monotonic() < killed + POLL_S, f"{heir} does not take over"
        taken_over = time.monotonic() - killed
        status, items = await poll
        answered = time.monotonic() - killed
        await announcing
        assert (status, len(items)) == (200, 1), items
        assert [(await other)[0] for other in others] == [200] * len(others)
    site.compose("up", "--detach", "--wait", "--no-deps", victim)
    return {
        "standby ready after the kill": _s(taken_over),
        "limit posted at the kill, in the open long poll": _s(answered),
        "long polls broken": "0",
    }


async def stops(site: Site) -> Figures:
    """SIGTERM ends every process of ours in good order."""
    names = [*HUBS, "directory", *(player.name for player in PLAYERS)]
    longest = 0.0
    for name in names:
        container = site.container(name)
        begun = time.monotonic()
        site.compose("stop", name)
        longest = max(longest, time.monotonic() - begun)
        code = site.engine.run("docker", "inspect", "--format", "{{.State.ExitCode}}", container).strip()
        assert code == "0", f"{name} ended with {code}"
    down = site.timed("down", "--volumes")
    return {"processes stopped with exit code 0": str(len(names)), "longest stop": _s(longest), "taken down": _s(down)}


TRIALS: Final[tuple[Callable[[Site], Awaitable[Figures]], ...]] = (starts, day, networks, rolling, failover, stops)


async def trial(site: Site) -> int:
    """Everything in order; prints a table, and returns how many things went wrong."""
    table = Table("what", "figure", "found", title="Containers", title_justify="left")
    failed = 0
    for each in TRIALS:
        click.echo(f"{each.__name__}: {(each.__doc__ or '').strip()}")
        try:
            figures = await each(site)
        except Exception:  # one that fails must not hide what the others find
            failed += 1
            traceback.print_exc()
            figures = {"FAILED": "see above"}
        for name, found in figures.items():
            table.add_row(each.__name__, name, found)
    Console(file=sys.stdout, highlight=False).print(table)
    click.echo(f"{len(TRIALS) - failed} passed, {failed} failed")
    return failed


@asynccontextmanager
async def _clients(platform: Platform) -> AsyncIterator[Clients]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=POLL_S + 30)) as session:
        yield Clients(session, platform)


Account = dict[str, Counter[Any]]
"""What each participant was told, by participant and feed; limits, plans and assets have keys of their own."""


async def _told(clients: Clients) -> Account:
    """Everything everybody was told until now."""
    told: Account = {f"{agr.name} limits": limits_in(await clients.feed(agr, "/limits/changes")) for agr in AGRS}
    for dso in DSOS:
        told[f"{dso.name} plans"] = plans_in(await clients.feed(dso, "/schedules/changes"))
        told[f"{dso.name} assets"] = assets_in(await clients.feed(dso, "/assets/changes"))
    return told


def _due(load: Load) -> Account:
    """What everybody must be told of the load, the assets that the sample day knows left out."""
    known = {asset.id for assets in ASSETS.values() for asset in assets}
    due: Account = {f"{name} limits": account for name, account in load.limits.items()}
    due |= {f"{name} plans": account for name, account in load.plans.items()}
    for name, account in load.assets.items():
        due[f"{name} assets"] = Counter({asset: times for asset, times in account.items() if asset not in known})
    return due


async def _settled(clients: Clients, load: Load, before: Account) -> dict[str, list[str]]:
    """What is still owed when all is quiet, or patience is over."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        owed = await _owed(clients, load, before)
        if not owed or time.monotonic() > deadline:
            return owed
        await asyncio.sleep(1.0)


async def _owed(clients: Clients, load: Load, before: Account) -> dict[str, list[str]]:
    """What participants must have been told since then and were not, or were told twice."""
    due, told = _due(load), await _told(clients)
    gaps = []
    for agr in AGRS:
        numbers = [item["sequence"] for item in await clients.feed(agr, "/limits/changes")]
        gaps += [agr.name] if numbers != list(range(1, len(numbers) + 1)) else []
    new = {name: told[name] - before[name] for name in told}
    owed = {
        "not accepted": [repr(each) for each in clients.judged if each.status not in {200, 201}],
        "lost": [f"{name}: {item}" for name in due for item in due[name] - new[name]],
        "doubled": [
            f"{name}: {item}" for name in due for item in new[name] if new[name][item] > max(1, due[name][item])
        ],
        "gaps": gaps,
    }
    return {what: found for what, found in owed.items() if found}


async def _newest(clients: Clients, name: str) -> str:
    """The cursor behind all that a participant was told."""
    player = next(each for each in PLAYERS if each.name == name)
    await clients.feed(player, "/limits/changes")
    return clients.cursor(player, "/limits/changes")


async def _poll(clients: Clients, name: str, after: str, wait_s: int = POLL_S) -> tuple[int, list[JSON]]:
    """One long poll, from its start to its answer."""
    player = next(each for each in PLAYERS if each.name == name)
    return await clients.poll(player, "/limits/changes", after=after, timeout_s=wait_s)


async def _announce(clients: Clients) -> None:
    start = (datetime.now(UTC) + timedelta(hours=50)).replace(minute=0, second=0, microsecond=0)
    period = {
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "resolution": "PT15M",
        "points": [{"position": 1, "quantity": 100_000}],
    }
    body = {"direction": "consumption", "series": [{"assets": [HEAT_PUMP.id], "periods": [period]}]}
    await clients.write(NORTH, "POST", "/limits/foreseen", body)


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(trial(Site(Engine(int(sys.argv[1]))))) else 0)
