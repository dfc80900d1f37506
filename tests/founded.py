"""A component directory and a broker on loopback with real keys and certificates, as `tps` commands find them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from hub.directory.values import Party
from hub.directory_service import Directory
from hub.directory_service.authority import founded_authority
from hub.directory_service.founding import Founder
from hub.directory_service.process import serving
from hub.mades.embedded import Component, EmbeddedBroker
from hub.mades.tls import server_context
from hub.settings import Directory as Chosen
from hub.store.memory import MemoryStore

HOST = "127.0.0.1"
DIRECTORY_ID, BROKER = "45X-TPS-DIR-DEMS", "A01:45X-TPS-BRK-DEMN"
DIRECTORY = f"A01:{DIRECTORY_ID}"


class Founded:
    """Where everything is; a member's folder is named by its code."""

    def __init__(self, folder: Path, founder: Founder) -> None:
        self._folder, self.founder = folder, founder
        self.broker: EmbeddedBroker

    def member(self, code: str) -> Path:
        """The folder of a component."""
        return self._folder / code.rpartition(":")[2]

    async def make_broker(self) -> EmbeddedBroker:
        """The broker of the platform, not running yet."""
        files = await self.founder.enrol_broker(self.member(BROKER), BROKER, hosts=[HOST])
        tls = server_context(certificate=files.certificate, key=files.key, authority=files.authority)
        self.broker = EmbeddedBroker(tls=tls)
        return self.broker

    async def provision(self, hub: str) -> None:
        """Let everybody who is enrolled in."""
        registered = await self.founder.directory.registered()
        self.broker.provision({each.code: Component(each.party, suffix=each.suffix) for each in registered}, hub=hub)
        await self.founder.tell_broker(BROKER, self.broker.url(hub))


@asynccontextmanager
async def founded(folder: Path, members: Mapping[str, Party], *, hub: str) -> AsyncIterator[Founded]:
    """Directory and broker, with these members (code -> part) enrolled and admitted."""
    async with AsyncExitStack() as stack:
        settings = Chosen(id=DIRECTORY_ID, dir=folder / "authority", hosts=HOST, port=0)
        directory = Directory(
            DIRECTORY, store=MemoryStore(component=DIRECTORY), authority=founded_authority(settings.dir)
        )
        await stack.enter_async_context(directory.running())
        url = await stack.enter_async_context(serving(directory, settings))
        place = Founded(folder, Founder(directory, url, "Test", "test"))
        for code, party in members.items():
            await place.founder.enrol(place.member(code), code, party)
        await stack.enter_async_context(await place.make_broker())
        await place.provision(hub)
        yield place
