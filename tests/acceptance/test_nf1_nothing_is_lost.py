"""NF1: the exchange SHALL be asynchronous: no party needs another to be up, and nothing is lost or doubled meanwhile.

Rules R13, R19, R26, R28, R29, R31, R32. Somebody is away (a gateway, the hub, the broker), others go on; when all are
back, everything was delivered, each thing once and in order.
"""

import asyncio

import pytest

from gateways.demo.cast import BATTERY, CHP, COOLER, FLEET, HEAT_PUMP, PLANT
from tests.acceptance.platform import Client, Ground, Json, Platform, registration, shares
from tests.acceptance.test_f6_foreseen_limits import limit
from tests.acceptance.test_f7_unforeseen_limits import order
from tests.acceptance.test_f8_schedules import schedule
from tests.fixtures_system import Grounds

GROUNDS = ["memory", pytest.param("amqp", marks=pytest.mark.slow), pytest.param("postgres", marks=pytest.mark.slow)]


@pytest.mark.parametrize("ground", GROUNDS)
async def test_limits_sent_while_a_gateway_is_away_arrive_when_it_is_back(grounds: Grounds, ground: Ground) -> None:
    """NF1: the DSO has its verdict at once; the AGR that is up is not held up; the other gets everything, once."""
    async with grounds(ground) as platform:
        await platform.register_all()
        await platform.kill("alpha")

        sent = await platform.north.write("POST", "/limits/foreseen", limit(platform, 600_000))
        await platform.north.write("PUT", f"/limits/foreseen/{sent['mrid']}", limit(platform, 300_000))
        other = await platform.north.write("POST", "/limits/foreseen", limit(platform, 90_000, assets=[HEAT_PUMP.id]))
        await platform.north.write("DELETE", f"/limits/foreseen/{other['mrid']}")
        await platform.until(platform.bravo, "/limits/active", lambda p: _revisions(p) == [2], "revision 2 at bravo")

        await platform.start("alpha")
        await platform.until(platform.alpha, "/limits", lambda p: _revisions(p) == [2, 2], "both limits at alpha")
        (active,) = await platform.alpha.items("/limits/active")
        assert shares(active) == {HEAT_PUMP.id: [100_000]}
        await _told_once(platform.alpha)


@pytest.mark.parametrize("ground", GROUNDS)
async def test_what_is_sent_while_the_hub_is_away_arrives_when_it_is_back(grounds: Grounds, ground: Ground) -> None:
    """NF1: gateways take everything their clients give them, 202 at once, and their clients read on."""
    async with grounds(ground) as platform:
        await platform.register_all()
        await platform.kill_hub()

        for client, path, body in (
            (platform.alpha, "/schedules", schedule(platform, (HEAT_PUMP.id, [-400_000]))),
            (platform.bravo, "/schedules", schedule(platform, (FLEET.id, [-100_000]))),
            (platform.north, "/limits/foreseen", limit(platform, 600_000)),
            (platform.south, "/limits/unforeseen", order(platform, (FLEET.id, "STOP"))),
        ):
            answer = await client.call("POST", path, body)
            assert (answer.status, answer.body["verdict"]) == (202, "pending")
        assert len(await platform.north.items("/assets")) == 4

        await platform.start_hub()
        await platform.sees_plans(platform.north, {HEAT_PUMP.id: [-400_000]})
        await platform.sees_plans(platform.south, {FLEET.id: [-100_000]})
        await platform.until(platform.alpha, "/limits/active", lambda p: _revisions(p) == [1], "the limit")
        await platform.until(platform.bravo, "/limits/active", lambda p: _revisions(p) == [1, 1], "limit and order")
        for client in (platform.alpha, platform.bravo):
            await _told_once(client)


@pytest.mark.parametrize("ground", GROUNDS)
async def test_what_is_sent_while_the_broker_is_away_arrives_when_it_is_back(grounds: Grounds, ground: Ground) -> None:
    """NF1, R31: also what the broker had confirmed and then forgot."""
    async with grounds(ground) as platform:
        await platform.register_all()
        await platform.close_road()

        sent = await platform.north.call("POST", "/limits/foreseen", limit(platform, 600_000))
        plan = await platform.alpha.call("POST", "/schedules", schedule(platform, (HEAT_PUMP.id, [-400_000])))
        assert (sent.status, plan.status) == (202, 202)
        assert await platform.alpha.items("/limits/active") == []

        await platform.open_road()
        await platform.until(platform.alpha, "/limits/active", lambda p: _revisions(p) == [1], "the limit")
        await platform.until(platform.bravo, "/limits/active", lambda p: _revisions(p) == [1], "the limit")
        await platform.sees_plans(platform.north, {HEAT_PUMP.id: [-400_000]})
        message = await platform.until(
            platform.north, f"/messages/{sent.body['mrid']}", lambda m: m["state"] == "RECEIVED", "delivery"
        )
        assert message["verdict"] == "accepted"
        for client in (platform.alpha, platform.bravo):
            await _told_once(client)


async def test_a_broker_that_forgets_what_it_has_confirmed_loses_nothing(grid: Platform) -> None:
    """R31: a message waits at the broker for a gateway that is away; the broker forgets it; it is sent again."""
    grid.network.volatile = True
    await grid.kill("alpha")
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    waiting = [not grid.network.idle]
    grid.network.restart()
    waiting.append(not grid.network.idle)
    assert waiting == [True, False]
    await grid.start("alpha")

    page = await grid.until(grid.alpha, "/limits/active", lambda page: page["items"], "the limit")
    assert shares(page["items"][0]) == {HEAT_PUMP.id: [200_000]}
    await _told_once(grid.alpha)


async def test_a_dso_that_was_away_has_the_whole_list_when_it_is_back(platform: Platform) -> None:
    """NF1: changes of many beats, one state."""
    await platform.register_points()
    await platform.kill("north")
    await platform.register_assets()
    for watts in (100_000, 200_000, 300_000):
        await platform.alpha.write("PATCH", f"/assets/{HEAT_PUMP.id}", {"maxConsumption": watts})
        await platform.beat()
    await platform.bravo.write("DELETE", f"/assets/{BATTERY.id}")

    await platform.start("north")

    left = {asset.id for asset in (HEAT_PUMP, CHP, COOLER)}
    await platform.sees_assets(platform.north, left)
    assert (await platform.north.items("/assets"))[0]["maxConsumption"] == 300_000


async def test_a_client_that_was_away_misses_nothing_with_its_cursor(grid: Platform) -> None:
    """NF1, R32: at least once needs `after`; sequences prove that nothing is missing."""
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    page = await grid.until(grid.alpha, "/limits/changes", lambda page: page["items"], "the limit", after="0")
    for watts in (500_000, 400_000, 300_000):
        await grid.north.write("POST", "/limits/foreseen", limit(grid, watts))
    await grid.until(grid.alpha, "/limits/active", lambda p: len(p["items"]) == 4, "all limits")
    lost = await grid.alpha.get("/limits/changes", timeout=0)
    assert len(lost["items"]) == 3, "and this answer is lost on the way to the client"

    again = await grid.alpha.get("/limits/changes", after=page["next"], timeout=0)

    assert again["items"] == lost["items"]
    assert [item["sequence"] for item in again["items"]] == [2, 3, 4]


async def test_a_client_that_goes_away_frees_its_wait_at_once(grid: Platform) -> None:
    """NF1: nobody's waiting costs others anything."""
    poll = asyncio.create_task(grid.alpha.get("/limits/changes", timeout=300))
    await grid.eventually(lambda: _waiting(grid.alpha), lambda waiting: waiting == 1, "the long poll to wait")

    poll.cancel()

    await grid.eventually(lambda: _waiting(grid.alpha), lambda waiting: waiting == 0, "the place to be free")


async def test_an_answer_lost_with_the_connection_can_be_had_again(grid: Platform) -> None:
    """NF1, Idempotency-Key: the client that did not see the answer repeats the write, and it is one write."""
    body, headers = limit(grid, 600_000), {"Idempotency-Key": "limit of tomorrow"}
    first = await grid.north.call("POST", "/limits/foreseen", body, headers=headers)
    again = await grid.north.call("POST", "/limits/foreseen", body, headers=headers, wait=60)

    assert again.body["mrid"] == first.body["mrid"]
    assert len(await grid.north.items("/limits")) == 1
    await grid.alpha.items("/limits/changes", timeout=30)
    await _told_once(grid.alpha)


async def test_updates_sent_in_a_row_without_waiting_end_in_the_last(grid: Platform) -> None:
    """NF1, R19, R28: messages of one document keep their order."""
    mrid = (await grid.north.call("POST", "/limits/foreseen", limit(grid, 900_000))).body["mrid"]
    for watts in (600_000, 450_000, 300_000):
        answer = await grid.north.call("PUT", f"/limits/foreseen/{mrid}", limit(grid, watts))
        assert answer.status == 202

    page = await grid.until(grid.alpha, "/limits/active", lambda p: _revisions(p) == [4], "the last revision")

    assert shares(page["items"][0]) == {HEAT_PUMP.id: [100_000]}
    state = await grid.until(
        grid.north, f"/limits/foreseen/{mrid}", lambda s: s["state"] != "pending", "the verdict on the last"
    )
    assert (state["state"], state["revision"]) == ("accepted", 4)
    feed = await grid.alpha.items("/limits/changes", after="0", timeout=0)
    assert [item["revision"] for item in feed] == sorted(item["revision"] for item in feed)


async def test_registrations_and_limits_of_a_hub_that_was_away_for_hours_are_in_order(platform: Platform) -> None:
    """NF1: the whole morning happens while the hub is down; at noon everything is as if it had been up."""
    await platform.kill_hub()
    points = {"connectionPoints": [{"id": registration(a)["connectionPoint"]} for a in (HEAT_PUMP, FLEET, PLANT)]}
    north, south = platform.north, platform.south
    await north.call("PUT", "/connection-points", {"connectionPoints": points["connectionPoints"][:1]})
    await south.call("PUT", "/connection-points", {"connectionPoints": points["connectionPoints"][1:]})
    await platform.alpha.call("PUT", "/assets", {"assets": [registration(HEAT_PUMP)]})
    await platform.bravo.call("PUT", "/assets", {"assets": [registration(FLEET)]})
    await platform.pass_time(3 * 3600)

    await platform.start_hub()

    await platform.sees_assets(north, {HEAT_PUMP.id})
    await platform.sees_assets(south, {FLEET.id})


def _revisions(page: Json) -> list[int]:
    return sorted(item["revision"] for item in page["items"])


async def _told_once(client: Client) -> None:
    """Nothing came twice, nothing is missing: each revision of each limit once, sequences without a gap."""
    feed = await client.items("/limits/changes", after="0", timeout=0)
    told = [(item["mrid"], item["revision"]) for item in feed]
    assert len(told) == len(set(told))
    assert [item["sequence"] for item in feed] == list(range(1, len(feed) + 1))


async def _waiting(client: Client) -> int:
    return client.gateway.door.polling
