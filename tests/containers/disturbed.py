"""Stages of the trial in which parts are replaced, killed, cut off and frozen while everybody works."""

import asyncio
import time
from typing import Final

import click

from gateways.demo.cast import AGRS, ALPHA, PLAYERS
from tests.containers.disturbance import (
    BREATH_S,
    POLL_S,
    announce,
    clients_of,
    newest,
    poll,
    under_load,
    until_nothing,
    verdict,
)
from tests.containers.engine import NEXT
from tests.containers.quiet import Figures, seconds
from tests.containers.site import HUBS, Site

GATEWAYS: Final = tuple(player.name for player in PLAYERS)
PARTS: Final = ("hub", "hub-standby", "directory", *GATEWAYS, "broker", "postgres")


async def rolling(site: Site) -> Figures:
    """Every part is replaced under load, and the hub that works is killed: nothing is lost, nothing is doubled."""
    async with under_load(site) as clients:
        taken = await _replaced(site, PARTS)
        victim = await asyncio.to_thread(site.leader)
        await asyncio.to_thread(site.engine.run, "docker", "kill", site.container(victim))
        await asyncio.sleep(BREATH_S)
        await asyncio.to_thread(site.compose, "up", "--detach", "--wait", "--no-deps", victim)
    return {**taken, **verdict(clients)}


async def failover(site: Site) -> Figures:
    """The hub that works is killed while every aggregator waits in a long poll: it goes on, and is answered."""
    victim = site.leader()
    (heir,) = set(HUBS) - {victim}
    async with clients_of(site.platform()) as clients:
        cursor = {agr.name: await newest(clients, agr.name) for agr in AGRS}
        waiting = asyncio.create_task(poll(clients, ALPHA.name, cursor[ALPHA.name]))
        others = [asyncio.create_task(poll(clients, agr.name, cursor[agr.name], wait_s=30)) for agr in AGRS[1:]]
        await asyncio.sleep(2.0)
        killed = time.monotonic()
        await asyncio.to_thread(site.engine.run, "docker", "kill", site.container(victim))
        announcing = asyncio.create_task(announce(clients, hours=50))
        while await asyncio.to_thread(site.health, heir) != "ready":
            assert time.monotonic() < killed + POLL_S, f"{heir} does not take over"
        taken_over = time.monotonic() - killed
        status, items = await waiting
        answered = time.monotonic() - killed
        await announcing
        assert (status, len(items)) == (200, 1), items
        assert [(await other)[0] for other in others] == [200] * len(others)
    site.compose("up", "--detach", "--wait", "--no-deps", victim)
    return {
        "standby ready after the kill": seconds(taken_over),
        "limit posted at the kill, in the open long poll": seconds(answered),
        "long polls broken": "0",
    }


async def vanishes(site: Site) -> Figures:
    """The cable of the hub that works is pulled, then a hub freezes: each time the standby takes over, under load."""
    async with under_load(site) as clients:
        victim = await asyncio.to_thread(site.leader)
        (heir,) = set(HUBS) - {victim}
        for network in ("tps_platform", "tps_operators"):
            await asyncio.to_thread(site.engine.run, "docker", "network", "disconnect", network, site.container(victim))
        cut_off = await _taken_over(site, heir)
        await asyncio.to_thread(site.replace, victim)
        await asyncio.sleep(BREATH_S)
        await asyncio.to_thread(site.engine.run, "docker", "pause", site.container(heir))
        frozen = await _taken_over(site, victim)
        await asyncio.to_thread(site.engine.run, "docker", "unpause", site.container(heir))
        await until_nothing(lambda: asyncio.to_thread(site.not_standing_by, heir))
    return {
        "standby ready after the cable was pulled": seconds(cut_off),
        "standby ready after the hub froze": seconds(frozen),
        **verdict(clients),
    }


async def upgrade(site: Site) -> Figures:
    """The databases migrate while the old version works under load; then each part is replaced by the new one."""
    async with under_load(site) as clients:
        migrated = 0.0
        for name in ("hub", "directory", *GATEWAYS):
            migrated = max(migrated, await asyncio.to_thread(site.migrate, name, NEXT))
        await asyncio.sleep(BREATH_S)
        refusal = await asyncio.to_thread(site.refusal, "run", "--rm", "-T", "--no-deps", "hub")
        assert "The database is newer than this program" in refusal, refusal
        judged = len(clients.judged)
        site.version = NEXT
        taken = await _replaced(site, ("hub-standby", "hub", "directory", *GATEWAYS))
        assert {site.image(part) for part in (*HUBS, "directory", *GATEWAYS)} == {f"tps:{NEXT}"}
    return {
        "longest migration of a live database": seconds(migrated),
        "writes judged on the migrated database by the old version": str(judged),
        **taken,
        **verdict(clients),
    }


async def _replaced(site: Site, parts: tuple[str, ...]) -> Figures:
    taken: dict[str, float] = {}
    for part in parts:
        taken[part] = await asyncio.to_thread(site.replace, part)
        click.echo(f"  replaced {part} in {taken[part]:.1f} s")
        await asyncio.sleep(BREATH_S)
    return {f"{part} replaced in": seconds(took) for part, took in taken.items()}


async def _taken_over(site: Site, heir: str) -> float:
    """Seconds until the standby works."""

    async def waits() -> bool:
        return await asyncio.to_thread(site.health, heir) != "ready"

    return await until_nothing(waits)
