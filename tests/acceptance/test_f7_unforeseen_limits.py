"""F7: a DSO SHALL be able to order START, STOP or HOLD at once, with an expected end, update it and end it.

Rules R15, R18-R20, R22, R27, R28.
"""

import asyncio

import pytest

from gateways.demo.cast import BATTERY, CHP, FLEET, HEAT_PUMP, NORTH, PLANT
from tests.acceptance.platform import Client, Json, Platform


@pytest.mark.parametrize("action", ["START", "STOP", "HOLD"])
async def test_an_order_reaches_the_waiting_long_poll_of_the_assets_aggregator(grid: Platform, action: str) -> None:
    """F7: each action, with its direction and its expected end."""
    poll = asyncio.create_task(grid.charlie.get("/limits/changes", timeout=300))
    await grid.eventually(lambda: _waiting(grid.charlie), lambda waiting: waiting == 1, "the long poll to wait")

    body = order(grid, (PLANT.id, action), direction="production")
    await grid.south.write("POST", "/limits/unforeseen", body)

    (told,) = (await poll)["items"]
    assert told["orders"] == [{"asset": PLANT.id, "action": action}]
    assert (told["kind"], told["direction"], told["end"]) == ("unforeseen", "production", grid.z(2))
    assert told["shares"] == []


async def test_an_order_begins_now_when_no_start_is_given(grid: Platform) -> None:
    """F7: an emergency is now."""
    await grid.south.write("POST", "/limits/unforeseen", order(grid, (FLEET.id, "STOP")))

    (told,) = await grid.bravo.items("/limits/changes", timeout=30)

    assert told["start"] <= grid.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert told["status"] == "active"


async def test_each_aggregator_is_told_its_own_assets_only(grid: Platform) -> None:
    """R18."""
    body = order(grid, (HEAT_PUMP.id, "STOP"), (BATTERY.id, "HOLD"))
    await grid.north.write("POST", "/limits/unforeseen", {**body, "text": "Kortslutning"})

    (of_alpha,) = await grid.alpha.items("/limits/changes", timeout=30)
    (of_bravo,) = await grid.bravo.items("/limits/changes", timeout=30)
    assert of_alpha["orders"] == [{"asset": HEAT_PUMP.id, "action": "STOP"}]
    assert of_bravo["orders"] == [{"asset": BATTERY.id, "action": "HOLD"}]
    assert await grid.charlie.items("/limits/changes", timeout=0) == []
    for text in (str(of_alpha), *(a.message.content.decode() for a in grid.arrived["alpha"])):
        assert "Kortslutning" not in text
        assert BATTERY.id not in text
        assert NORTH.id not in text


async def test_an_update_may_add_and_drop_assets(grid: Platform) -> None:
    """R18, R19: whole content again; who drops out gets a cancel."""
    mrid = (await grid.south.write("POST", "/limits/unforeseen", order(grid, (FLEET.id, "STOP"))))["mrid"]
    await grid.bravo.items("/limits/changes", timeout=30)

    await grid.south.write("PUT", f"/limits/unforeseen/{mrid}", order(grid, (PLANT.id, "STOP")))

    (of_bravo,) = await grid.bravo.items("/limits/changes", timeout=30)
    (of_charlie,) = await grid.charlie.items("/limits/changes", timeout=30)
    assert (of_bravo["status"], of_bravo["revision"]) == ("cancelled", 2)
    assert (of_charlie["status"], of_charlie["revision"]) == ("active", 1)


async def test_all_assets_unknown_refuses_the_order(grid: Platform) -> None:
    """R15: all unknown: A02."""
    body = order(grid, (HEAT_PUMP.id, "STOP"), (BATTERY.id, "STOP"))

    problem = await grid.south.refused("POST", "/limits/unforeseen", body, status=422, reason="A64")

    assert {error["at"] for error in problem["errors"]} == {HEAT_PUMP.id, BATTERY.id}
    assert await grid.alpha.items("/limits/changes", timeout=0) == []


async def test_a_start_says_which_way_when_the_asset_can_do_only_one(grid: Platform) -> None:
    """R15: no direction is needed for an asset that can do one thing."""
    await grid.south.write("POST", "/limits/unforeseen", order(grid, (PLANT.id, "START")))

    (told,) = await grid.charlie.items("/limits/changes", timeout=30)
    assert told["orders"] == [{"asset": PLANT.id, "action": "START"}]


async def test_an_expected_end_in_the_past_is_refused(grid: Platform) -> None:
    """R20: A04."""
    body = {**order(grid, (FLEET.id, "STOP")), "start": grid.z(-5), "expectedEnd": grid.z(-3)}

    await grid.south.refused("POST", "/limits/unforeseen", body, status=422, reason="A04")


async def test_after_the_end_an_order_can_be_neither_prolonged_nor_cancelled(grid: Platform) -> None:
    """R15, R20."""
    mrid = (await grid.south.write("POST", "/limits/unforeseen", order(grid, (FLEET.id, "STOP"))))["mrid"]
    await grid.bravo.items("/limits/changes", timeout=30)

    await grid.pass_time(4 * 3600)

    path = f"/limits/unforeseen/{mrid}"
    await grid.south.refused("PUT", path, order(grid, (FLEET.id, "STOP")), status=422, reason="A04")
    await grid.south.refused("DELETE", path, status=422, reason="A04")


async def test_an_order_overtakes_a_crowd_of_schedules(grid: Platform) -> None:
    """R27, R28: urgent messages have a queue of their own; bulk that waits does not hold them up."""
    await grid.kill("bravo")
    for number in range(20):
        body = {"series": [{"asset": PLANT.id, "periods": [grid.period(number, number + 1, 1000 + number)]}]}
        assert (await grid.charlie.call("POST", "/schedules", body)).status == 202
    await grid.south.write("POST", "/limits/unforeseen", order(grid, (FLEET.id, "STOP")))
    await grid.start("bravo")

    (told,) = await grid.bravo.items("/limits/changes", timeout=30)

    assert told["orders"] == [{"asset": FLEET.id, "action": "STOP"}]


async def test_an_order_that_is_not_delivered_in_a_minute_alarms_the_operator_and_does_not_fail(grid: Platform) -> None:
    """R27: never FAILED for that; delivered when the gateway is back."""
    await grid.kill("bravo")
    sent = await grid.south.write("POST", "/limits/unforeseen", order(grid, (FLEET.id, "STOP")))
    assert sent["verdict"] == "accepted"
    assert await _alarms(grid) == 0

    await grid.pass_time(90)

    assert await _alarms(grid) == 1
    await grid.start("bravo")
    (told,) = (await grid.until(grid.bravo, "/limits/active", lambda page: page["items"], "the order"))["items"]
    assert told["orders"] == [{"asset": FLEET.id, "action": "STOP"}]


async def test_the_operator_of_the_grid_reads_its_orders(grid: Platform) -> None:
    """F7: as sent, each with its state."""
    body = order(grid, (CHP.id, "HOLD"), direction="production")
    mrid = (await grid.north.write("POST", "/limits/unforeseen", body))["mrid"]

    mine = await grid.north.get(f"/limits/unforeseen/{mrid}")

    assert (mine["kind"], mine["state"], mine["direction"]) == ("unforeseen", "accepted", "production")
    assert mine["orders"] == body["orders"]
    assert (await grid.north.call("GET", f"/limits/foreseen/{mrid}")).status == 404


def order(platform: Platform, *orders: tuple[str, str], direction: str = "both") -> Json:
    """Orders for now, expected to end in two to three hours."""
    return {
        "direction": direction,
        "expectedEnd": platform.z(2),
        "orders": [{"asset": asset, "action": action} for asset, action in orders],
    }


async def _waiting(client: Client) -> int:
    return client.gateway.door.polling


async def _alarms(platform: Platform) -> int:
    """How many alarms stand on the operator's board."""
    return len(await platform.board("alarms"))
