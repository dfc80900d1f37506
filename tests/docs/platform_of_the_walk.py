"""The platform of the manual's walk on one machine, with what a bad night takes away in our hands: broker, databases."""

import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from gateways.demo.rabbitmq_node import free_ports
from hub.directory_service import bootstrap
from hub.directory_service.bootstrap import SETTINGS
from hub.directory_service.plan import Plan, PlannedBroker, PlannedDirectory, PlannedHub, PlannedParticipant, Sections
from hub.directory_service.process import opened
from hub.mades.embedded import Component, EmbeddedBroker
from hub.mades.tls import server_context
from hub.settings import DirectorySettings, load
from hub.store.embedded import EmbeddedPostgres
from hub.values import Role
from tests.docs.walking import Shell

HOST: Final = "127.0.0.1"
PORTS: Final = ("8443", "8440", "8080", "8081", "8082", "8083", "5671")
NAMES: Final = ("north", "alpha", "bravo")
JSON: Final[Sections] = {"log": {"format": "json"}}


class Night:
    """The running platform: its shell, its broker, the server with the hub's database, and an empty one beside it."""

    def __init__(
        self,
        folder: Path,
        broker: EmbeddedBroker,
        *,
        localised: Callable[[str], str],
        hub_database: EmbeddedPostgres,
        new_url: str,
    ) -> None:
        self.folder, self.broker, self.hub_database = folder, broker, hub_database
        self.localised, self.new_url = localised, new_url
        self.shell = Shell(folder, localised, _environment())
        self.groups: dict[str, int] = {}

    def log(self, name: str) -> str:
        """What a component has logged so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name: str) -> None:
        """End a component as a power cut would."""
        os.killpg(self.groups.pop(name), signal.SIGKILL)


def planned(ports: dict[str, str], database: Callable[[str], str]) -> Plan:
    """The platform of the walk, and one more aggregator."""
    roles = {"north": ("5790000000005", Role.DSO), "alpha": ("45X-AGR-ALPHA--N", Role.AGR)}
    roles["bravo"] = ("45X-AGR-BRAVO--B", Role.AGR)
    return Plan(
        directory=PlannedDirectory(
            id="45X-TPS-DIR-DEMS",
            hosts=HOST,
            port=int(ports["8443"]),
            http_port=int(ports["8440"]),
            database=database("directory"),
            settings=JSON,
        ),
        broker=PlannedBroker(id="45X-TPS-BRK-DEMN", hosts=HOST, port=int(ports["5671"])),
        hub=PlannedHub(id="45X-TPS-HUB-DEM8", port=int(ports["8080"]), database=database("hub"), settings=JSON),
        participants=tuple(
            PlannedParticipant(
                name=name,
                id=code,
                role=role,
                brp="45X-BRP-CHARLIEG" if role is Role.AGR else None,
                port=int(ports[str(8081 + number)]),
                database=database(name),
                settings=JSON,
            )
            for number, (name, (code, role)) in enumerate(roles.items())
        ),
    )


@asynccontextmanager
async def platform(folder: Path) -> AsyncIterator[Night]:
    """Everybody founded, admitted and running, as the walk leaves them."""
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    async with AsyncExitStack() as stack:
        servers = {name: EmbeddedPostgres(folder / name, durable=False) for name in ("db", "hub-db", "new-db")}
        for server in servers.values():
            await stack.enter_async_context(server)
        urls = {name: await servers["db"].database(name) for name in ("directory", *NAMES)}
        urls["hub"], urls["new"] = await servers["hub-db"].database("hub"), await servers["new-db"].database("hub")
        plan = planned(ports, urls.__getitem__)
        await bootstrap.found(folder / "tps", plan, by="ops", cause="test")
        for name in NAMES:
            (folder / name).symlink_to(bootstrap.member(folder / "tps", name))
        broker = await stack.enter_async_context(await _broker(folder / "tps", plan))
        localised = _localised(ports, urls)
        night = Night(
            folder, broker, localised=localised, hub_database=servers["hub-db"], new_url=urls["new"]
        )
        shell = night.shell
        stack.callback(shell.end)
        for name, (words, port) in STARTS.items():
            await shell.run(f"tps --settings {_home(name)}/settings.toml {words} >> {name}.log 2>&1 &")
            night.groups[name] = shell.group
            if name in {"directory", "hub"}:
                await shell.run(ready(port))
        await shell.run("\n".join(ready(STARTS[name][1]) for name in NAMES))
        issued = (f"tps --settings {name}/settings.toml tokens issue > {name}/token &\n" for name in NAMES)
        await shell.run("".join(issued) + "wait")
        yield night


STARTS: Final = {
    "directory": ("directory run", 8440),
    "hub": ("hub", 8080),
    "north": ("dso", 8081),
    "alpha": ("agr", 8082),
    "bravo": ("agr", 8083),
}


def ready(port: int) -> str:
    """Wait until a component takes work."""
    return f"curl -sSf --retry 60 --retry-delay 1 --retry-all-errors http://127.0.0.1:{port}/health/ready"


def _home(name: str) -> str:
    return {"directory": "tps/directory", "hub": "tps/members/hub"}.get(name, name)


async def _broker(home: Path, plan: Plan) -> EmbeddedBroker:
    own = bootstrap.member(home, "broker")
    tls = server_context(
        certificate=own / "server.pem", key=own / "server.key", authority=own / "authority.pem"
    )
    broker = EmbeddedBroker(host=HOST, port=plan.broker.port, tls=tls)
    async with opened(load(DirectorySettings, bootstrap.directory_folder(home) / SETTINGS, {})) as directory:
        registered = await directory.registered()
    hub = plan.code(plan.hub.id)
    broker.provision({each.code: Component(each.party, suffix=each.suffix) for each in registered}, hub=hub)
    return broker


def _localised(ports: dict[str, str], urls: dict[str, str]) -> Callable[[str], str]:
    """Hosts and ports of the manual as they are here."""
    moves = {
        "postgresql://hub:two@new-db.example/hub": f"'{urls['new']}'",
        "s/@db.example/@new-db.example/": f"s#{_socket(urls['hub'])}#{_socket(urls['new'])}#",
    }

    def localised(block: str) -> str:
        for written, meant in moves.items():
            block = block.replace(written, meant)
        block = re.sub(r"\b(directory|broker)\.example\b", HOST, block)
        return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: ports[found[1]], block)

    return localised


def _socket(url: str) -> str:
    """Where an embedded server listens, as its URL says it."""
    return url.partition("host=")[2].partition("&")[0]


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
