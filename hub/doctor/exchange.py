"""Looks at a component's place in the exchange: directory, its copy, broker, its rights there."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec

from hub.directory.calls import SyncRequest
from hub.doctor import reach
from hub.doctor.finding import Finding
from hub.errors import Rejected, Unavailable
from hub.mades import credentials
from hub.mades.amqp import AmqpTransport
from hub.mades.directory_copy import DirectoryCopy
from hub.mades.endpoint.tracing import trace
from hub.mades.errors import MadesError
from hub.mades.https import call
from hub.mades.membership import Membership
from hub.mades.message import BusinessType
from hub.ports import Queue, Refused, Unroutable

DIRECTORY: Final = "directory"
BROKER: Final = "broker"
COPY: Final = "directory copy"
START: Final = "Start the hub: it tells the directory its paths."
PROVISION: Final = "Let the operator of the platform provision it: `tps broker provision`."


async def directory(membership: Membership, *, now: datetime) -> AsyncIterator[Finding]:
    """Whether the directory is reached and knows us, and whether its clock is ours."""
    url = membership.told.directory_url
    parts = urlsplit(url)
    context = credentials.load(membership.folder).client_context(now)
    if lost := await reach.server(DIRECTORY, parts.hostname or "", parts.port or 443, context):
        yield lost
        return
    try:
        reply = await call("POST", url.rstrip("/") + "/sync", msgspec.json.encode(SyncRequest()), context=context)
    except Rejected as error:
        do = "Ask the operator of the platform whether we were revoked; if so, register anew."
        yield Finding(DIRECTORY, f"login refused: {error.text}", "our certificate to be listed", do)
    except Unavailable as error:
        yield Finding(DIRECTORY, str(error), "an answer", "Look into the log of the directory.")
    else:
        if wrong := reach.clocks(reply.headers.get("Date", ""), now=now):
            yield wrong


def copy(held: DirectoryCopy, hub: str, *, now: datetime) -> Iterator[Finding]:
    """Whether our copy of the directory may be used, and leads to the hub."""
    if why := held.stale():
        age = f", {(now - held.confirmed).total_seconds() / 3600:.0f} h old" if held.confirmed else ""
        yield Finding(COPY, f"{why.rstrip('.')}{age}", "one within its time to live", "Make the directory reachable.")
        return
    if held.code == hub:
        return
    if held.record(hub) is None:
        do = "Check gateway.hub_id, and that the hub was approved and has started once."
        yield Finding(COPY, f"no component {hub}", "the hub in it", do)
        return
    try:
        held.path(hub, BusinessType.ACK, now)
    except MadesError as error:
        yield Finding(COPY, f"no path to the hub: {error}", "one", START)


async def broker(membership: Membership, hub: str, *, now: datetime) -> AsyncIterator[Finding]:
    """Whether the broker is reached, lets us in, has our queues, and takes what is for the hub."""
    try:
        url = membership.broker_url()
    except Unavailable as error:
        yield Finding(BROKER, str(error), "an address", "Let `tps init` tell it, or set broker.url.")
        return
    parts = urlsplit(url)
    if lost := await reach.server(BROKER, parts.hostname or "", parts.port or 5671, membership.tls):
        yield lost
        return
    try:
        road = await AmqpTransport.connect(
            url, code=membership.code, tls=membership.tls, suffix=membership.told.queue_suffix
        )
    except Refused as error:
        yield Finding(BROKER, f"login refused: {error}", "a user of our code", PROVISION)
        return
    except Unavailable as error:
        yield Finding(BROKER, str(error), "a connection", "Look into the log of the broker.")
        return
    try:
        async for finding in _rights(road, membership, hub, now):
            yield finding
    finally:
        await road.close()


async def _rights(road: AmqpTransport, membership: Membership, hub: str, now: datetime) -> AsyncIterator[Finding]:
    for queue in Queue:
        try:
            await road.depth(queue)
        except Unavailable:
            yield Finding(BROKER, f"no {queue} queue that we may read", "our own two queues", PROVISION)
    if membership.code == hub or membership.copy.stale() or not membership.copy.record(hub):
        return
    try:
        await trace(road, membership.seals, sender=membership.code, receiver=hub, now=now)
    except Refused as error:
        yield Finding(BROKER, f"we may not write to the hub: {error}", "permission", PROVISION)
    except (Unroutable, Unavailable) as error:
        yield Finding(BROKER, f"a test message for the hub is not taken: {error}", "it taken", PROVISION)
    except MadesError as error:
        yield Finding(COPY, f"a test message for the hub cannot be sealed: {error}", "its certificate", START)
