"""The books of the platform: what the databases of all components say of the messages between them."""

import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from documents import identifiers
from gateways.demo.cast import HUB_ID, PLAYERS
from hub.directory_service.bootstrap import SETTINGS, member

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

CODES: Final = {"hub": identifiers.party(HUB_ID), **{each.name: identifiers.party(each.id) for each in PLAYERS}}
"""Component codes by the names of the processes."""

SEEN: Final = {
    "accepted": "internal_type = 'STANDARD_MESSAGE' and due is not null and lease_until is null",
    "in hand": "internal_type = 'STANDARD_MESSAGE' and lease_until is not null",
    "at the broker": "internal_type = 'STANDARD_MESSAGE' and state = 'ACCEPTED' and due is null",
    "taken in": "related is not null and due is not null",
    "acknowledgement in hand": "related is not null and lease_until is not null",
}
"""The steps of a message that a component's outbox shows (docs/mades.md), as conditions on it."""


class Books:
    """One connection to the database of each component, as the component itself."""

    def __init__(self, connections: "Mapping[str, Connection]") -> None:
        self._of = connections

    async def shows(self, name: str, step: str) -> bool:
        """Whether a message of this component is at this step now."""
        return bool(await self._of[name].fetchval(f"select exists (select from out_message where {SEEN[step]})"))

    async def unfinished(self) -> list[str]:
        """Messages on their way: a business message that is not RECEIVED, or anything that has still to leave."""
        query = """select concat_ws(' ', internal_type, business_type, 'to', receiver, state, reason) from out_message
            where due is not null or internal_type = 'STANDARD_MESSAGE' and state <> 'RECEIVED'"""
        return [f"{name}: {record[0]}" for name, each in self._of.items() for record in await each.fetch(query)]

    async def sent(self) -> set[tuple[str, str, str]]:
        """Sender, receiver and id of every business message that its sender knows to be RECEIVED."""
        query = """select receiver, message_id from out_message
            where internal_type = 'STANDARD_MESSAGE' and state = 'RECEIVED'"""
        return {(CODES[name], r, i) for name, each in self._of.items() for r, i in await each.fetch(query)}

    async def taken_in(self) -> set[tuple[str, str, str]]:
        """Sender, receiver and id of every business message that its receiver has committed."""
        query = "select sender, message_id from in_message"
        return {(s, CODES[name], i) for name, each in self._of.items() for s, i in await each.fetch(query)}

    async def unproved(self) -> list[str]:
        """RECEIVED messages without both signed acknowledgements."""
        query = """select message_id from out_message left join acknowledgement as proof using (message_id)
            left join acknowledgement_list as list on list.digest = proof.list
            where out_message.internal_type = 'STANDARD_MESSAGE' and state = 'RECEIVED'
            group by message_id having count(*) filter (where octet_length(coalesce(list.manifest, proof.manifest)) > 0
                and proof.internal_type in ('DELIVERY_ACKNOWLEDGEMENT', 'RECEIVE_ACKNOWLEDGEMENT')) < 2"""
        return [f"{name}: {record[0]}" for name, each in self._of.items() for record in await each.fetch(query)]

    async def resent(self) -> int:
        """How often a message was sent again because its receiver proved that it was lost."""
        query = "select coalesce(sum(resent), 0) from out_message"
        return sum([int(await each.fetchval(query)) for each in self._of.values()])


@asynccontextmanager
async def opened_books(folder: Path, names: Sequence[str] = tuple(CODES)) -> AsyncIterator[Books]:
    """The books of a platform of processes whose data is in `folder` (`gateways.demo.processes`)."""
    async with AsyncExitStack() as stack:
        connections: dict[str, Connection] = {}
        for name in names:
            settings = tomllib.loads((member(folder, name) / SETTINGS).read_text())
            url = settings["database"]["url"]
            connections[name] = await asyncpg.connect(url, server_settings={"search_path": "tps"})
            stack.push_async_callback(connections[name].close)
        yield Books(connections)
