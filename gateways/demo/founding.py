"""What both ways of running the demo share: who takes part, with which keys, and where they listen.

One process for everybody (`gateways.demo.platform`), or one for each (`gateways.demo.processes`).
"""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from documents import identifiers
from documents.values import Identifier
from gateways.demo.cast import BROKER_ID, DIRECTORY_ID, HUB_ID, PLAYERS, Player
from hub import settings as chosen
from hub.clock import SystemClock
from hub.directory_service import bootstrap
from hub.directory_service.bootstrap import SETTINGS, write_settings
from hub.directory_service.founding import Founder, ServerFiles
from hub.directory_service.plan import (
    Plan,
    PlannedBroker,
    PlannedDirectory,
    PlannedHub,
    PlannedParticipant,
    Sections,
)
from hub.store.postgres import PostgresStore
from hub.values import Role

HOST: Final = "127.0.0.1"
ORGANIZATION: Final = "Demo"
BEAT_S: Final = 1.0
HUB_PORT: Final = 80
PAGES_PORT: Final = 90
DIRECTORY_PORT: Final = 43
HUB: Final = identifiers.party(HUB_ID)
DIRECTORY: Final = identifiers.party(DIRECTORY_ID)
BROKER: Final = identifiers.party(BROKER_ID)


class Keys(Struct, frozen=True):
    """What the demo keeps beside certificates: the hub's secret, its operator's password, and the REST tokens."""

    hub_secret: str
    tokens: Mapping[str, str]
    operator_password: str = ""


class Platform(Struct, frozen=True):
    """Where a running platform is: addresses and tokens of the gateways by participant, the hub and its pages."""

    urls: Mapping[str, str]
    tokens: Mapping[str, str]
    hub_url: str
    pages_url: str
    operator_password: str


def keys_in(directory: Path, players: Sequence[Player] = PLAYERS) -> Keys:
    """The keys kept in this folder, made on the first call and readable by their owner only."""
    path = directory / "keys.json"
    if path.exists():
        kept = msgspec.json.decode(path.read_bytes(), type=Keys)
        if kept.operator_password:
            return kept
        return _written(path, msgspec.structs.replace(kept, operator_password=_password()))
    tokens = {player.name: secrets.token_urlsafe(32) for player in players}
    return _written(path, Keys(hub_secret=secrets.token_hex(32), tokens=tokens, operator_password=_password()))


def _password() -> str:
    return secrets.token_urlsafe(15)


def _written(path: Path, keys: Keys) -> Keys:
    """Keep them, all or nothing."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(msgspec.json.encode(keys))
    unfinished.rename(path)
    return keys


def directory_settings(folder: Path, port: int) -> chosen.Directory:
    """The component directory of a demo in this folder."""
    return chosen.Directory(
        id=DIRECTORY_ID, dir=bootstrap.directory_folder(folder), organization=ORGANIZATION, hosts=HOST, port=port
    )


def plan(
    ports: Mapping[str, int] | None = None,
    databases: Mapping[str, str] | None = None,
    *,
    players: Sequence[Player] = PLAYERS,
    gateways: Sections | None = None,
) -> Plan:
    """The demo's platform as its operator would write it down, with ports and databases by name where they matter.

    `players` may be another cast than the demo's; `gateways` are further settings of each of theirs.
    """
    ports, databases = ports or {}, databases or {}
    common: Sections = {"http": {"host": HOST}, "log": {"format": "json"}}
    with_charts = bootstrap.merged(common, {"gateway": {"ui": True}})
    return Plan(
        organization=ORGANIZATION,
        directory=PlannedDirectory(
            id=DIRECTORY_ID,
            hosts=HOST,
            port=ports.get("directory", 0),
            http_port=ports.get("directory door", 0),
            database=databases.get("directory", ""),
            settings=common,
        ),
        broker=PlannedBroker(id=BROKER_ID, hosts=HOST),
        hub=PlannedHub(
            id=HUB_ID,
            port=ports.get("hub", 0),
            database=databases.get("hub", ""),
            settings={**common, "hub": {"beat_s": BEAT_S}, "web": {"host": HOST, "port": ports.get("pages", 0)}},
        ),
        participants=tuple(
            PlannedParticipant(
                name=player.name,
                id=player.id,
                role=Role(player.role),
                brp=player.brp,
                port=ports.get(player.name),
                database=databases.get(player.name, ""),
                settings=bootstrap.merged(with_charts, gateways or {}),
            )
            for player in players
        ),
    )


def write_everybodys_settings(folder: Path, written: Plan, keys: Keys) -> None:
    """A settings file in the folder of each part, for its process and for the operator's commands."""
    write_settings(bootstrap.directory_folder(folder) / SETTINGS, bootstrap.directory_sections(written))
    sections = bootstrap.hub_sections(written, secret=keys.hub_secret)
    pages = {**sections.get("web", {}), "password": keys.operator_password}
    write_settings(hub_settings(folder), {**sections, "web": pages})
    for each in written.participants:
        own = bootstrap.member(folder, each.name)
        write_settings(own / SETTINGS, bootstrap.participant_sections(written, each))


def hub_settings(folder: Path) -> Path:
    """The settings file of a demo's hub."""
    return bootstrap.member(folder, "hub") / SETTINGS


async def everybody(founder: Founder, folder: Path, written: Plan | None = None) -> ServerFiles:
    """Enrol the whole cast and the broker; returns what the broker's listener needs. Raises Rejected."""
    written = written or plan()
    await bootstrap.enrol(founder, folder, written)
    return await bootstrap.broker_files(founder, folder, written)


async def know_token(store: PostgresStore, secret: str, me: Identifier) -> None:
    """Let a gateway know the token of its demo."""
    now = SystemClock().now()
    if await store.tokens.lookup(secret, now=now) is None:
        await store.tokens.record(secret, participant=me, label="demo", now=now)
