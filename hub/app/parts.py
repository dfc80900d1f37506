"""What a hub is made of, as its settings say: who it is, its core, its letterhead, the ids of its beats."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from documents import identifiers
from documents.values import Identifier, Mrid
from hub.audit.leaves import Salts
from hub.brain import BrainSettings, HubBrain, keyed_mrid
from hub.commands import Quarantine
from hub.compose import Letterhead
from hub.ports import InboxEntry
from hub.projections.catalogue import Entry
from hub.settings import Hub as Market
from hub.store.memory import MemoryStore
from hub.store.postgres import PostgresStore

Store = PostgresStore | MemoryStore


def hub_id(market: Market) -> Identifier:
    """Who the hub is, also its component code. Raises IdentifierError."""
    return identifiers.party(market.id, national=market.national_scheme)


def brain_of(market: Market) -> HubBrain:
    """The pure core of a hub."""
    return HubBrain(
        BrainSettings(hub=hub_id(market), secret=market.secret.reveal().encode(), national=market.national_scheme)
    )


def projecting_brain(market: Market, entries: Sequence[Entry]) -> HubBrain:
    """A core of one's own that makes the rows of these projections only."""
    settings = BrainSettings(
        hub=hub_id(market), secret=market.secret.reveal().encode(), national=market.national_scheme
    )
    return HubBrain(settings, projections=[entry.rows for entry in entries])


def letterhead(market: Market) -> Letterhead:
    """What every document of this hub carries."""
    domain = identifiers.parse_identifier(market.domain, national=market.national_scheme)
    return Letterhead(hub=hub_id(market), domain=domain, zone=ZoneInfo(market.timezone))


def beat_mrid(market: Market, view: str, audience: Identifier, upto: int) -> Mrid:
    """The mRID of what a beat sends: the same when the same is sent again, and telling nothing (R18)."""
    return keyed_mrid(market.secret.reveal().encode(), "beat", view, audience, str(upto))


def salts_of(market: Market) -> Salts:
    """What keeps the leaves of the log's tree closed."""
    return Salts(market.secret.reveal().encode())


def memory_store(market: Market) -> MemoryStore:
    """A store that is gone with its process."""
    return MemoryStore(component=hub_id(market), mrid_of=partial(beat_mrid, market))


def quarantine(command: Any, message: InboxEntry | None, error: str) -> Quarantine | None:
    """The command that sets a document aside; None for an operator's command, whose operator sees the error (R30)."""
    origin = getattr(command, "origin", None)
    if origin is None:
        return None
    return Quarantine(origin=origin, message_id=message.message_id if message else "", error=error)
