"""Hub and gateways are killed together and started again on what they had stored: nothing is lost or doubled (NF1).

The day is played once undisturbed, then again with everybody killed right after each step, while its messages are still
on their way. What every participant reads in the end is the same.
"""

from collections.abc import Awaitable, Callable

import pytest

from gateways.demo.cast import ASSETS, BATTERY, CHP, COOLER, FLEET, HEAT_PUMP, PLANT, POINTS
from tests.acceptance.platform import Ground, Json, Platform, quantities
from tests.acceptance.test_f6_foreseen_limits import limit
from tests.acceptance.test_f7_unforeseen_limits import order
from tests.acceptance.test_f8_schedules import schedule
from tests.fixtures_system import Grounds

Step = Callable[[Platform], Awaitable[object]]

DAY: tuple[Step, ...] = (
    lambda p: p.north.call("POST", "/assets/request"),
    lambda p: p.alpha.call("POST", "/schedules", {**schedule(p, (HEAT_PUMP.id, [-1]), (CHP.id, [2])), "mrid": "a"}),
    lambda p: p.bravo.call("POST", "/schedules", {**schedule(p, (BATTERY.id, [3]), (FLEET.id, [-4])), "mrid": "b"}),
    lambda p: p.north.call("POST", "/limits/foreseen", {**limit(p, 600_000), "mrid": "evening"}),
    lambda p: p.south.call("POST", "/limits/unforeseen", {**order(p, (FLEET.id, "STOP")), "mrid": "fault"}),
    lambda p: p.alpha.call("PATCH", "/schedules/a", schedule(p, (CHP.id, [5]))),
    lambda p: p.north.call("PUT", "/limits/foreseen/evening", limit(p, 300_000, assets=[HEAT_PUMP.id, COOLER.id])),
    lambda p: p.bravo.call("DELETE", "/schedules/b?asset=" + FLEET.id),
    lambda p: p.south.call("PUT", "/limits/unforeseen/fault", order(p, (PLANT.id, "HOLD"))),
    lambda p: p.charlie.call("PATCH", f"/assets/{COOLER.id}", {"maxConsumption": 300_000}),
    lambda p: p.south.call("DELETE", "/limits/unforeseen/fault"),
)


@pytest.mark.parametrize("ground", ["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def test_a_day_with_a_kill_after_each_step_ends_as_a_day_without(grounds: Grounds, ground: Ground) -> None:
    """NF1."""
    async with grounds(ground) as platform:
        await platform.register_all()
        for step in DAY:
            await step(platform)
            await settled(platform)
        undisturbed = await what_all_see(platform)

    async with grounds(ground) as platform:
        await platform.register_all()
        for step in DAY:
            await step(platform)
            await platform.restart_all()
            await settled(platform)
        disturbed = await what_all_see(platform)

    assert disturbed == undisturbed
    assert undisturbed["alpha limits"]


async def test_a_restart_changes_nothing_of_what_is_read(grid: Platform) -> None:
    """NF1: lists, states, feeds and their cursors are where they were, byte for byte."""
    for step in DAY:
        await step(grid)
        await settled(grid)
    paths = {
        "alpha": (
            "/assets",
            "/schedules",
            "/limits",
            "/limits/active",
            "/messages/a",
            "/limits/changes?after=0&timeout=0",
        ),
        "north": ("/connection-points", "/assets", "/limits", "/schedules", "/messages/evening"),
        "south": ("/limits", "/limits/unforeseen/fault", "/schedules/changes?after=0&timeout=0"),
    }
    before = {(name, path): await grid.clients[name].get(path) for name in paths for path in paths[name]}

    await grid.restart_all()

    for (name, path), page in before.items():
        again = await grid.clients[name].get(path)
        assert {**again, "asOf": 0} == {**page, "asOf": 0}, (name, path)


async def test_a_restarted_gateway_remembers_where_its_clients_were(grid: Platform) -> None:
    """R33: later calls return what came since that token's last answer, also over a restart."""
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    await grid.alpha.items("/limits/changes", timeout=30)

    await grid.kill("alpha")
    await grid.start("alpha")
    await grid.quiet()

    assert await grid.alpha.items("/limits/changes", timeout=0) == []


async def test_a_restarted_gateway_remembers_the_keys_of_its_clients(grid: Platform) -> None:
    """Idempotency-Key: the repeat after the restart is no second write."""
    headers = {"Idempotency-Key": "one"}
    first = await grid.alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1])), headers=headers)

    await grid.kill("alpha")
    await grid.start("alpha")

    again = await grid.alpha.call("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1])), headers=headers, wait=60)
    assert again.body == first
    assert len(await grid.alpha.items("/schedules")) == 1


async def test_a_hub_stopped_in_good_order_starts_where_it_was(grid: Platform) -> None:
    """NF1."""
    position = grid.hub.desk.position
    await grid.stop_hub()
    await grid.start_hub()

    assert grid.hub.desk.position == position
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))


async def what_all_see(platform: Platform) -> Json:
    """What each participant reads, without what is only the order or the time of things."""
    seen: Json = {}
    for name in ASSETS:
        client = platform.clients[name]
        seen[f"{name} assets"] = [{**item, "document": ""} for item in await client.items("/assets")]
        seen[f"{name} schedules"] = await client.items("/schedules")
        found = await client.items("/limits")
        seen[f"{name} limits"] = [{**item, "sequence": 0, "issued": "", "start": ""} for item in found]
    for client in (platform.north, platform.south):
        name = client.player.name
        seen[f"{name} assets"] = [{**item, "sequence": 0} for item in await client.items("/assets")]
        seen[f"{name} plans"] = [{**item, "sequence": 0} for item in await client.items("/schedules")]
        seen[f"{name} limits"] = [{**item, "start": ""} for item in await client.items("/limits")]
    return seen


async def settled(platform: Platform) -> None:
    """Wait until nothing is pending anywhere, nor waits for a beat."""
    for name in platform.clients:
        client = platform.clients[name]
        for path in ("/limits", "/connection-points") if client.player.role == "DSO" else ("/assets", "/schedules"):
            await platform.until(client, path, lambda page: "pending" not in str(page), "its verdicts")
    ratings = {item["id"]: item["maxConsumption"] for name in ASSETS for item in await _assets(platform, name)}
    await platform.eventually(lambda: _grid(platform), lambda grid: grid == ratings, "the assets at the DSOs")
    expected = await _expected(platform)
    await platform.eventually(lambda: _plans(platform), lambda plans: plans == expected, "the plans at the DSOs")
    limits = await _limits_of_hub(platform)
    await platform.eventually(lambda: _copies(platform), lambda copies: copies == limits, "the limits at the AGRs")


async def _assets(platform: Platform, name: str) -> list[Json]:
    return await platform.clients[name].items("/assets")


async def _grid(platform: Platform) -> dict[str, int]:
    """The ratings of all assets, as the DSOs see them."""
    return {item["id"]: item["maxConsumption"] for name in POINTS for item in await _assets(platform, name)}


async def _expected(platform: Platform) -> dict[str, list[int]]:
    """The plans that stand, as their senders know them."""
    return {
        series["asset"]: quantities(series)
        for name in ASSETS
        for plan in await platform.clients[name].items("/schedules")
        for series in plan["series"]
        if series["state"] == "accepted"
    }


async def _plans(platform: Platform) -> dict[str, list[int]]:
    """The plans that stand, as the DSOs see them."""
    return {
        item["asset"]: quantities(item)
        for client in (platform.north, platform.south)
        for item in await client.items("/schedules")
    }


async def _limits_of_hub(platform: Platform) -> set[tuple[str, int]]:
    """Every copy of a limit that the hub has made, at its newest revision."""
    return {
        (copy["mrid"], copy["revision"]) for row in await platform.board("operator_limits") for copy in row["copies"]
    }


async def _copies(platform: Platform) -> set[tuple[str, int]]:
    """Every copy of a limit that has arrived."""
    return {
        (item["mrid"], item["revision"]) for name in ASSETS for item in await platform.clients[name].items("/limits")
    }
