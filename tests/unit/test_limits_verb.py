"""`tps limits explain`: a division as the operator of the platform sees it, and nobody else (R16, R37)."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from click.testing import Result

from tests.fixtures_store import DatabaseUrl
from tests.hub_log import kept, operate
from tests.hub_world import ALPHA, BRAVO, NORTH, World

pytestmark = pytest.mark.slow


def registered(*, second: int = 10_000) -> World:
    """Three assets on north's grid, two of them alpha's."""
    world = World()
    world.claim(NORTH, "P1")
    for resource, operator, watts in (("R1", ALPHA, 30_000), ("R2", ALPHA, second), ("R3", BRAVO, 50_000)):
        world.register(operator, resource, "P1", produces=watts)
    return world


@pytest.fixture
def world() -> World:
    world = registered()
    world.announce(NORTH, "L1", 1, ["R1", "R2", "R3"], 10_001)
    return world


async def explained(url: str, *arguments: str) -> Result:
    return await asyncio.to_thread(operate, url, "limits", "explain", *arguments)


async def test_r16_the_operator_reads_inputs_steps_and_sum_and_that_it_is_the_same(
    database_url: DatabaseUrl, world: World
) -> None:
    url = await database_url()
    await kept(world, url)

    result = await explained(url, "L1")

    assert result.exit_code == 0, result.output
    for words in (
        "Limit L1 of 5790000000005, revision 1",
        "Policy       rated-power.v1",
        "R3  rated        50000 W  45X-AGR-BRAVO--B",
        "Total 10001 W, 2026-11-24 13:00:00Z to 2026-11-24 15:00:00Z",
        "10001 W over the operators, in proportion to 90000 W of rated power",
        "45X-AGR-ALPHA--N          4445 W  (of 40000 W: 4444 and 80000/90000, rounded up)",
        "Sum of all shares 10001 W; to be divided were 10001 W",
        "Computed anew from the log: the same.",
    ):
        assert words in result.output


async def test_the_same_is_told_to_programs_and_by_the_mrid_of_a_copy(database_url: DatabaseUrl, world: World) -> None:
    url = await database_url()
    await kept(world, url)

    by_source = await explained(url, "L1", "--json")
    by_copy = await explained(url, world.copy(BRAVO).mrid, "--json")

    (division,) = json.loads(by_source.stdout)
    assert (division["mrid"], division["revision"], division["differences"]) == ("L1", 1, [])
    assert sum_of_shares(division) == {10_001}
    assert by_copy.stdout == by_source.stdout


def sum_of_shares(division: dict[str, Any]) -> set[int]:  # JSON
    """Watts of all shares, for each total."""
    return {
        sum(part["share"] for step in total["steps"] if step["over"] for part in step["parts"])
        for series in division["series"]
        for total in series["totals"]
    }


async def test_the_newest_revision_is_told_unless_another_is_asked_for(database_url: DatabaseUrl, world: World) -> None:
    world.announce(NORTH, "L1", 2, ["R1", "R3"], 77)
    url = await database_url()
    await kept(world, url)

    newest = await explained(url, "L1")
    first = await explained(url, "L1", "--revision", "1")
    none = await explained(url, "L1", "--revision", "3")

    assert "Total 77 W" in newest.output
    assert "Other revisions (--revision): 1." in newest.output
    assert "Total 10001 W" in first.output
    assert (none.exit_code, "There are: 1, 2." in none.output) == (1, True)


async def test_a_division_whose_ratings_are_not_those_of_the_log_ends_with_1(
    database_url: DatabaseUrl, world: World
) -> None:
    """Whoever can write the whole log anew with a fitting chain still has to make the history fit."""
    url = await database_url()
    forged = registered(second=1)
    for recorded in world.log[len(forged.log) :]:
        forged.take(recorded)
    await kept(forged, url)

    result = await explained(url, "L1")

    assert result.exit_code == 1
    assert "COMPUTED ANEW FROM THE LOG IT DIFFERS" in result.output
    assert "Asset R2 was weighed with 10000 W; by the log it was rated 1 W." in result.output


async def test_a_log_whose_chain_is_broken_explains_nothing(database_url: DatabaseUrl, world: World) -> None:
    url = await database_url()
    await kept(world, url)
    connection = await asyncpg.connect(url)
    await connection.execute("update tps.stored_events set cause = 'nobody' where notification_id = 3")
    await connection.close()

    result = await explained(url, "L1")

    assert result.exit_code == 1
    assert "position 3" in result.output
    assert "Total" not in result.output


async def test_what_is_no_divided_limit_is_told_in_words(database_url: DatabaseUrl, world: World) -> None:
    world.cancel(NORTH, "L2", 1)
    url = await database_url()
    await kept(world, url)

    unknown = await explained(url, "L9")
    cancel = await explained(url, "L2")

    assert (unknown.exit_code, cancel.exit_code) == (1, 1)
    assert "No limit L9 is in the log." in unknown.output
    assert "Limit L2 divides nothing" in cancel.output


async def test_r37_a_participants_database_explains_no_division(database_url: DatabaseUrl, world: World) -> None:
    """The gateway of an aggregator holds its own copies; the command works on the log of the hub alone."""
    url = await database_url()
    connection = await asyncpg.connect(url)
    await connection.execute("insert into tps.meta (key, value) values ('component', $1)", ALPHA)
    await connection.close()

    result = await explained(url, "L1")

    assert result.exit_code != 0
    assert "holds the store of A01:45X-AGR-ALPHA--N" in str(result.exception)
