"""A component directory on loopback for tests: real TLS, real certificates, a clock that is moved by hand.

TLS looks at the machine's own clock, so the tests' clock starts there.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from ssl import SSLContext
from typing import Any

import aiohttp

from hub.clock import ManualClock
from hub.directory.values import Party
from hub.directory_service import Directory, make_authority
from hub.directory_service.doors import Components, Operator
from hub.mades import credentials, pki
from hub.mades.directory_client import DirectoryClient
from hub.mades.directory_copy import DirectoryCopy
from hub.mades.membership import implementation
from hub.settings import Http
from hub.store.memory import MemoryStore
from hub.web.health import listening
from tests.directory_world import (
    BROKER,
    BROKER_CONFIGURATION,
    CONTACT,
    DIRECTORY,
    DIRECTORY_CONFIGURATION,
    HUB,
    configured,
    over_broker,
)
from tests.fixtures_store import Store

HOST = "127.0.0.1"
TTL = timedelta(hours=24)
PEOPLE = {Party.BROKER: BROKER_CONFIGURATION, Party.DIRECTORY: DIRECTORY_CONFIGURATION}


class Site:
    """A running directory, its two addresses, and everybody's folders below one."""

    def __init__(self, directory: Directory, folder: Path, clock: ManualClock) -> None:
        self.directory, self.folder, self.clock = directory, folder, clock
        self.url = self.operator_url = ""

    @property
    def root(self) -> str:
        """The root certificate that everybody is given by hand, PEM."""
        return pki.pem_of(self.directory.authority.root).decode()

    def of(self, code: str) -> Path:
        """The folder of a component."""
        return self.folder / code.rpartition(":")[2]

    async def enrol(self, code: str, party: Party) -> None:
        """A component from nothing to ACTIVE, its credentials in its folder."""
        await self.directory.enrol(self.of(code), code, party, CONTACT, by="test", url=self.url)
        declared = PEOPLE.get(party) or configured(over_broker(start=self.clock.now()))
        await self.directory.configure(code, declared)

    def copy(self, code: str, *, keep: bool = True) -> DirectoryCopy:
        """The copy of a component, as a start of it would find it."""
        held = credentials.load(self.of(code))
        file = self.of(code) / "directory.json" if keep else None
        return DirectoryCopy(
            code, directory=DIRECTORY, root=held.root, issuing=held.issuing, file=file, clock=self.clock
        )

    def client(self, code: str, *, keep: bool = True) -> DirectoryClient:
        """The client of a component; it asks at exactly its period."""
        return DirectoryClient(
            self.url, copy=self.copy(code, keep=keep), folder=self.of(code), clock=self.clock, jitter=lambda: 0.0
        )

    def as_component(self, code: str) -> SSLContext:
        """TLS as a component."""
        return credentials.load(self.of(code)).client_context(self.clock.now())

    def as_nobody(self) -> SSLContext:
        """TLS without a certificate."""
        return credentials.server_trust(self.root)

    async def call(
        self, method: str, path: str, body: object = None, *, tls: SSLContext, token: str = "", raw: bytes | None = None
    ) -> tuple[int, Any]:  # Any: whatever JSON comes back; text when it is none
        """Status and answer of one call."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, data=data, headers=headers, ssl=tls) as answer,
        ):
            text = await answer.text()
            if answer.status == HTTPStatus.NO_CONTENT:
                return answer.status, None
            return answer.status, json.loads(text) if "json" in answer.content_type else text


def now() -> datetime:
    """The machine's time, in whole seconds as certificates have it."""
    return datetime.now(UTC).replace(microsecond=0)


@asynccontextmanager
async def site(folder: Path, *, store: Store | None = None) -> AsyncIterator[Site]:
    """A directory with broker and hub, ACTIVE, listening on loopback."""
    clock = ManualClock(now())
    authority = make_authority(folder / "authority", "Test", now=clock.now())
    directory = Directory(
        DIRECTORY, store=store or MemoryStore(component=DIRECTORY), authority=authority, clock=clock, ttl=TTL
    )
    place = Site(directory, folder, clock)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(directory.running())
        await directory.establish(CONTACT, DIRECTORY_CONFIGURATION, by="test")
        await place.enrol(BROKER, Party.BROKER)
        await place.enrol(HUB, Party.HUB)
        place.operator_url = await stack.enter_async_context(operator_door(directory))
        place.url = await stack.enter_async_context(door(directory))
        yield place


@asynccontextmanager
async def door(directory: Directory, *, port: int = 0) -> AsyncIterator[str]:
    """The directory's door for components."""
    tls = directory.authority.server_context((HOST,), now=directory.clock.now())
    app = Components(directory).application()
    async with listening(app, Http(host=HOST, port=port), tls=tls) as taken:
        yield f"https://{HOST}:{taken}"


@asynccontextmanager
async def operator_door(directory: Directory) -> AsyncIterator[str]:
    """The directory's door for its operator."""
    async with listening(Operator(directory).application(), Http(host=HOST, port=0)) as port:
        yield f"http://{HOST}:{port}"


__all__ = ["HOST", "TTL", "Site", "door", "implementation", "now", "operator_door", "site"]
