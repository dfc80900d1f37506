"""What both ways of running the demo share: who takes part, with which keys, and where they listen.

One process for everybody (`gateways.demo.platform`), or one for each (`gateways.demo.processes`).
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from documents import identifiers
from documents.values import Identifier
from gateways.demo.cast import BROKER_ID, DIRECTORY_ID, HUB_ID, PLAYERS, Player
from hub import settings as chosen
from hub.clock import SystemClock
from hub.commands import AddParticipant
from hub.directory.values import Party as Member
from hub.directory_service.founding import Founder, ServerFiles
from hub.store.postgres import PostgresStore
from hub.values import Role

HOST: Final = "127.0.0.1"
BEAT_S: Final = 1.0
HUB_PORT: Final = 80
DIRECTORY_PORT: Final = 43
HUB: Final = identifiers.party(HUB_ID)
DIRECTORY: Final = identifiers.party(DIRECTORY_ID)
BROKER: Final = identifiers.party(BROKER_ID)
MEMBERS: Final = (
    ("hub", HUB, Member.HUB),
    *((player.name, identifiers.party(player.id), Member(player.role)) for player in PLAYERS),
)
"""Everybody with an endpoint: name, component code, part in the exchange."""


class Keys(Struct, frozen=True):
    """What the demo keeps beside certificates: the hub's secret, and the REST tokens by participant."""

    hub_secret: str
    tokens: Mapping[str, str]


class Platform(Struct, frozen=True):
    """Where a running platform is: addresses and tokens of the gateways by participant, and the hub's own address."""

    urls: Mapping[str, str]
    tokens: Mapping[str, str]
    hub_url: str


def keys_in(directory: Path) -> Keys:
    """The keys kept in this folder, made on the first call and readable by their owner only."""
    path = directory / "keys.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Keys)
    keys = Keys(hub_secret=secrets.token_hex(32), tokens={player.name: secrets.token_urlsafe(32) for player in PLAYERS})
    unfinished = path.with_suffix(".unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(msgspec.json.encode(keys))
    unfinished.rename(path)
    return keys


def directory_settings(folder: Path, port: int) -> chosen.Directory:
    """The component directory of a demo in this folder."""
    return chosen.Directory(id=DIRECTORY_ID, dir=folder / "directory", organization="Demo", hosts=HOST, port=port)


def member(folder: Path, name: str) -> Path:
    """Where a component's keys and certificates are."""
    return folder / "members" / name


async def everybody(founder: Founder, folder: Path) -> ServerFiles:
    """Enrol the whole cast and the broker; returns what the broker's listener needs. Raises Rejected."""
    for name, code, party in MEMBERS:
        await founder.enrol(member(folder, name), code, party)
    return await founder.enrol_broker(member(folder, "broker"), BROKER, hosts=[HOST])


async def know_token(store: PostgresStore, secret: str, me: Identifier) -> None:
    """Let a gateway know the token of its demo."""
    now = SystemClock().now()
    if await store.tokens.lookup(secret, now=now) is None:
        await store.tokens.record(secret, participant=me, label="demo", now=now)


def admission(player: Player) -> AddParticipant:
    """What makes a player a participant (R1)."""
    return AddParticipant(
        participant=identifiers.party(player.id),
        role=Role(player.role),
        name=player.name,
        brp=identifiers.party(player.brp) if player.brp else None,
        by="demo",
    )
