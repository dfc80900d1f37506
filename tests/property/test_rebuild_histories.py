"""Rebuild equals live after random histories: on a real database, damaged, with a desk that goes on writing."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.rebuild import Report
from hub.store.postgres import PostgresStore
from tests.fixtures_store import COMPONENT, Cluster
from tests.hub_strategies import Player, Step, histories
from tests.rebuild_world import VERSIONS, Writer, ask, feeds, rebuilt, seen
from tests.thoroughness import examples

DAMAGES = (
    "update row_item set payload = 'x' where sequence % 3 = $1",
    "delete from row_item where sequence % 3 = $1",
    "delete from row_current where length(key) % 3 = $1",
    "update row_current set sequence = 1 where length(audience) % 3 = $1",
    "update feed set head = head + 5 where length(view) % 3 = $1",
)


@settings(
    max_examples=examples(12),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(
    histories(),
    st.lists(st.tuples(st.sampled_from(DAMAGES), st.integers(0, 2)), max_size=2),
    st.floats(0, 1),
)
async def test_rebuild_equals_live_whatever_happened_whatever_is_damaged_and_while_the_desk_writes(
    cluster: Cluster, history: list[Step], damages: list[tuple[str, int]], split: float
) -> None:
    log = Player().play(history).log
    half = int(len(log) * split)
    async with cluster.lent() as url, await PostgresStore.open(url, component=COMPONENT) as store:
        await store.projections.begin(VERSIONS)
        writer = Writer(store)
        await writer.write(log[:half])
        for statement, number in damages:
            if half == len(log) or "feed" not in statement:  # a desk cannot write to a feed that counts wrongly
                await ask(url, statement, number)

        async def write() -> None:
            for begin in range(half, len(log), 3):
                await writer.write(log[begin : begin + 3])

        report, _ = await asyncio.gather(rebuilt(url), write())

        assert await seen(url) == writer.current()
        assert all(
            [number for number, *_ in items] == list(range(1, len(items) + 1)) for items in (await feeds(url)).values()
        )
        checked: Report = await rebuilt(url, check=True)
        assert checked.found == ()
        if not damages:
            assert (report.found, report.appended) == ((), 0)
