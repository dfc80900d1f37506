"""The brokers that the acceptance tests can be played over, founded as an operator founds them.

One component directory for the session, with an authority, a registered folder for each of the cast, and certificates;
messages are sealed, everybody is known by certificate over TLS. TPS_TEST_GROUND chooses the road of the whole suite:
`memory` (the network's twin, the default), `embedded` or `rabbitmq`. Your own RabbitMQ: see gateways.demo.rabbitmq.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

from gateways.demo.founding import BROKER, DIRECTORY, HOST, HUB, directory_settings, everybody
from gateways.demo.rabbitmq import Rabbit, given, rabbitmq
from hub.directory_service import Directory
from hub.directory_service.authority import founded_authority
from hub.directory_service.bootstrap import member
from hub.directory_service.founding import Founder, ServerFiles
from hub.directory_service.process import serving
from hub.mades import credentials, provision
from hub.mades.embedded import Component, EmbeddedBroker
from hub.mades.keyring import Keys
from hub.mades.management import managing
from hub.mades.membership import Membership
from hub.mades.paths import VIRTUAL_HOST
from hub.mades.tls import server_context
from hub.mades.topology import Registered, queue_names
from hub.ports import Clock
from hub.store.memory import MemoryStore
from tests.fixtures_broker import unavailable

Road = Literal["memory", "embedded", "rabbitmq"]
VARIABLE: Final = "TPS_TEST_GROUND"
TTL: Final = timedelta(days=28)
"""How long a copy of the directory may be used: what `directory.ttl_s` is by default, more than any test leaps."""


def chosen() -> Road:
    """The road of the whole suite."""
    named = os.environ.get(VARIABLE, "memory")
    for road in get_args(Road):
        if road == named:
            return road  # type: ignore[no-any-return] # one of the Literal's own values
    raise ValueError(f"{VARIABLE} is {named!r}; expected one of {', '.join(get_args(Road))}.")


class Broker(Protocol):
    """A running broker, provisioned for the cast, with nothing in it."""

    url: str

    async def start(self) -> None:
        """Run again, after `stop`."""

    async def stop(self) -> None:
        """Be gone, with every connection."""


class Embedded:
    """The embedded broker: what it held is gone when it stops."""

    def __init__(self, broker: EmbeddedBroker, registered: list[Registered]) -> None:
        users = {each.code: Component(each.party, suffix=each.suffix) for each in registered}
        broker.provision(users, hub=HUB)
        self.url = broker.url(HUB)
        self.start, self.stop = broker.start, broker.stop


class RealRabbit:
    """A RabbitMQ; lent to one platform at a time. `node` is None when it is not ours to stop."""

    def __init__(self, url: str, management_url: str, node: Rabbit | None) -> None:
        self.url, self.management_url, self._node = url, management_url, node
        self._known: list[Registered] = []

    async def empty(self, registered: list[Registered]) -> None:
        """Provisioned for these, nothing waits for anybody."""
        async with managing(self.management_url) as operator:
            if self._node is None or self._known != registered:  # others use a broker that was given, too
                await operator.delete("vhosts", VIRTUAL_HOST)
                await provision.provision(operator, registered)
                self._known = registered
            for each in registered:
                for name in queue_names(each):
                    await operator.delete("queues", VIRTUAL_HOST, name, "contents")

    async def stop(self) -> None:
        if self._node is None:
            unavailable("a broker that was given is not ours to stop")
        else:
            await self._node.stop()

    async def start(self) -> None:
        if self._node:
            await self._node.start()


class Site:
    """The founded platform of the session, see the charter; `opened` at first use, for it costs a second."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._stack = folder, AsyncExitStack()
        self.directory: Directory
        self.founder: Founder
        self.server: ServerFiles
        self._free: list[RealRabbit] = []
        self._brokers = 0

    async def opened(self) -> "Site":
        """The site, with directory and members."""
        if not hasattr(self, "directory"):
            self._adopt_authority()
            settings = directory_settings(self.folder, port=0)
            store = MemoryStore(component=DIRECTORY)
            directory = Directory(DIRECTORY, store=store, authority=founded_authority(settings.dir), ttl=TTL)
            await self._stack.enter_async_context(directory.running())
            url = await self._stack.enter_async_context(serving(directory, settings))
            self.founder = Founder(directory, url, "Test", "test")
            self.server = await everybody(self.founder, self.folder)
            await self.founder.tell_broker(BROKER, f"amqps://{HOST}:5671/{VIRTUAL_HOST}")
            self.directory = directory
        return self

    async def close(self) -> None:
        """End what was started."""
        await self._stack.aclose()

    def membership(self, name: str, *, clock: Clock, broker: Broker) -> Membership:
        """A registered component, as its process would open it."""
        return Membership(member(self.folder, name), clock=clock, url=broker.url)

    def keys(self, name: str, *, at: datetime) -> Keys:
        """What a component signs and decrypts with."""
        return credentials.load(member(self.folder, name)).keys(at)

    @asynccontextmanager
    async def broker(self, road: Road) -> AsyncIterator[Broker]:
        """A broker of this kind for as long as the block lasts."""
        registered = await self.directory.registered()
        if road == "rabbitmq":
            lent = self._free.pop() if self._free else await self._rabbit()
            try:
                await lent.empty(registered)
                yield lent
            finally:
                self._free.append(lent)
            return
        files = self.server
        tls = server_context(certificate=files.certificate, key=files.key, authority=files.authority)
        async with EmbeddedBroker(tls=tls) as embedded:
            yield Embedded(embedded, registered)

    async def _rabbit(self) -> RealRabbit:
        if lent := given():
            if self._brokers:
                unavailable("this story needs a second broker, and one was given")
            self._brokers += 1
            return RealRabbit(lent.url, lent.management_url, None)
        self._brokers += 1
        node = await self._stack.enter_async_context(rabbitmq(self.folder / f"rabbit-{self._brokers}", self.server))
        return RealRabbit(f"amqps://{HOST}:{node.port}/{VIRTUAL_HOST}", node.management_url, node)

    def _adopt_authority(self) -> None:
        """A broker that was given trusts an authority that was given."""
        if lent := given():
            lent.adopt(self.folder / "directory")


SITES: list[Site] = []
"""The site of this session; the fixture `site` puts it here."""


async def site() -> Site:
    """The site of this session, open."""
    return await SITES[0].opened()
