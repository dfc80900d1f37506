"""`tps doctor`: looks at one component as its settings say, and puts in words what is not as it must be (floor 7).

Nothing is changed, and nobody is disturbed but by one test message to the hub. What stands on something broken is not
looked at: without certificates nobody is asked whether they are let in.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from hub.app import hub_id
from hub.app.message_box import codes
from hub.app.process import DATABASE as HUB_DATABASE
from hub.directory_service.process import DATABASE as DIRECTORY_DATABASE
from hub.directory_service.process import directory_code
from hub.doctor import exchange, keys, store
from hub.doctor.finding import Finding
from hub.errors import SettingsError
from hub.mades.membership import Membership
from hub.ports import Clock
from hub.settings import DirectorySettings, GatewaySettings, HubSettings

__all__ = ["Finding", "examine"]

GATEWAY_DATABASE = "gateway"


async def examine(settings: HubSettings | GatewaySettings | DirectorySettings, clock: Clock) -> list[Finding]:
    """Everything that is wrong with the component of these settings; empty when all is well."""
    return [finding async for finding in _examine(settings, clock)]


async def _examine(settings: HubSettings | GatewaySettings | DirectorySettings, clock: Clock) -> AsyncIterator[Finding]:
    match settings:
        case DirectorySettings():
            async for finding in _directory(settings, clock.now()):
                yield finding
        case HubSettings():
            code = hub_id(settings.hub)
            async for finding in _member(settings, clock, code=code, hub=code, database=HUB_DATABASE):
                yield finding
        case GatewaySettings():
            code, hub = codes(settings)
            async for finding in _member(settings, clock, code=code, hub=hub, database=GATEWAY_DATABASE):
                yield finding


async def _directory(settings: DirectorySettings, now: datetime) -> AsyncIterator[Finding]:
    code = directory_code(settings.directory)
    for finding in keys.authority(settings.directory, now=now):
        yield finding
    own = settings.directory.dir / "own"
    if own.exists():
        for finding in keys.component(own, code, now=now):
            yield finding
    async for finding in store.database(settings.database, DIRECTORY_DATABASE, owner=code):
        yield finding


async def _member(
    settings: HubSettings | GatewaySettings, clock: Clock, *, code: str, hub: str, database: str
) -> AsyncIterator[Finding]:
    now = clock.now()
    for finding in keys.component(settings.mades.dir, code, now=now):
        yield finding
    async for finding in store.database(settings.database, database, owner=code):
        yield finding
    try:
        membership = Membership(settings.mades.dir, clock=clock, url=settings.broker.url)
    except SettingsError:
        return  # its certificates say why
    async for finding in exchange.directory(membership, now=now):
        yield finding
    for finding in exchange.copy(membership.copy, hub, now=now):
        yield finding
    async for finding in exchange.broker(membership, hub, now=now):
        yield finding
