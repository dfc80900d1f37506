"""Projections of another version are rebuilt when the hub starts; their old rows serve until then (R32)."""

from collections.abc import Sequence
from typing import Final

import structlog

from hub.app.parts import projecting_brain
from hub.clock import SystemClock
from hub.errors import Conflict, Unavailable
from hub.ports import Clock
from hub.projections.catalogue import CATALOGUE, Entry
from hub.rebuild import Rebuild
from hub.settings import Hub as Market
from hub.store.shadow import Shadow

RETRY_S: Final = 60.0

log = structlog.get_logger("hub.rebuild")


async def renew(
    url: str, market: Market, *, catalogue: Sequence[Entry] = CATALOGUE, clock: Clock | None = None
) -> None:
    """Rebuild what another version has made. Whatever goes wrong is logged and leaves the old rows; the hub goes on."""
    clock = clock or SystemClock()
    while True:
        try:
            await _renew_once(url, market, catalogue, clock)
        except (Unavailable, Conflict) as error:
            log.warning("projections.not_rebuilt", error=str(error), retry_s=RETRY_S)
            await clock.sleep(RETRY_S)
        except Exception as error:
            log.error("projections.not_rebuilt", error=type(error).__name__, exc_info=error)
            return
        else:
            return


async def _renew_once(url: str, market: Market, catalogue: Sequence[Entry], clock: Clock) -> None:
    async with Shadow.open(url) as shadow:
        versions = await shadow.versions()
        outdated = [entry for entry in catalogue if versions.get(entry.name) != entry.version]
        if not outdated:
            return
        names = [entry.name for entry in outdated]
        log.info("projections.rebuilding", projections=names)
        report = await Rebuild(outdated, projecting_brain(market, outdated), shadow, clock=clock).run()
        log.info("projections.rebuilt", projections=names, position=report.position, appended=report.appended)
