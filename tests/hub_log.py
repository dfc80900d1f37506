"""A history played by the core alone, kept in a store as a hub keeps it, and the operator's commands on it."""

from collections.abc import Sequence

from click.testing import CliRunner, Result

from documents.identifiers import parse_identifier
from hub.brain import BrainSettings, HubBrain
from hub.cli import tps
from hub.ports import Batch, InboxEntry, NewEvent
from hub.store.memory import MemoryStore
from hub.store.postgres import PostgresStore
from tests.hub_world import HUB, SECRET, World

COMPONENT = parse_identifier("45X-TPS-HUB-DEM8")


async def keep(
    world: World,
    store: PostgresStore | MemoryStore,
    inbox: Sequence[InboxEntry] = (),
    *,
    payloads: Sequence[bytes] = (),
) -> None:
    """Write a world's history into an empty store, one commit for each event, with the rows it causes."""
    brain, versions = HubBrain(BrainSettings(HUB, SECRET)), dict[str, int]()
    for recorded in world.log:
        stream, (topic, state) = brain.stream_of(recorded.event), brain.encode(recorded.event)
        versions[stream] = versions.get(stream, 0) + 1
        event = NewEvent(stream=stream, version=versions[stream], topic=topic, state=state, cause=recorded.cause)
        rows = tuple((recorded.position, row) for row in brain.rows(recorded))
        await store.commit.commit(
            Batch(
                after=recorded.position - 1,
                at=recorded.at,
                events=(event,),
                rows=rows,
                inbox=tuple(inbox) if recorded.position == 1 else (),
                payloads=tuple(payloads) if recorded.position == 1 else (),
            )
        )
        brain.evolve(recorded)


async def kept(world: World, url: str) -> None:
    """Write a world's history into an empty database of a hub."""
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store)


def operate(url: str, *arguments: str) -> Result:
    """One command of the operator on the hub's database."""
    environment = {"TPS__HUB__ID": COMPONENT, "TPS__HUB__SECRET": SECRET.decode(), "TPS__DATABASE__URL": url}
    return CliRunner(env=environment).invoke(tps, arguments, prog_name="tps")
