"""F6: a DSO SHALL be able to announce, change and withdraw a limit ahead of time; each AGR SHALL get its own share.

Rules R14, R16-R22, R32, R33.
"""

import asyncio

import pytest

from documents.model import UnavailabilityMarketDocument
from gateways.demo.cast import ALPHA, BATTERY, BRAVO, CHP, COOLER, FLEET, HEAT_PUMP, NORTH, PLANT, SOUTH
from tests.acceptance.platform import Client, Json, Platform, shares


async def test_a_waiting_long_poll_answers_with_the_share(grid: Platform) -> None:
    """F6: the main job. A limit is posted at one end, the long poll answers at the other."""
    poll = asyncio.create_task(grid.alpha.get("/limits/changes", timeout=300))
    await grid.eventually(lambda: _waiting(grid.alpha), lambda waiting: waiting == 1, "the long poll to wait")

    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))

    (told,) = (await poll)["items"]
    assert shares(told) == {HEAT_PUMP.id: [200_000]}


async def test_limits_leave_at_once_and_wait_for_no_beat(grid: Platform) -> None:
    """R12: only assets and schedules are pushed on a beat."""
    now = grid.clock.now()
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    await grid.alpha.items("/limits/changes", timeout=30)

    assert grid.clock.now() == now


async def test_one_asset_in_a_series_is_that_assets_own_limit(grid: Platform) -> None:
    """R14: not divided with anybody."""
    body = {
        "direction": "consumption",
        "series": [
            {"assets": [HEAT_PUMP.id], "periods": [grid.period(0, 1, 123_456)]},
            {"assets": [BATTERY.id], "periods": [grid.period(0, 1, 654_321)]},
        ],
    }
    await grid.north.write("POST", "/limits/foreseen", body)

    (of_alpha,) = await grid.alpha.items("/limits/changes", timeout=30)
    (of_bravo,) = await grid.bravo.items("/limits/changes", timeout=30)
    assert shares(of_alpha) == {HEAT_PUMP.id: [123_456]}
    assert shares(of_bravo) == {BATTERY.id: [654_321]}


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (1_750_000, (500_000, 1_000_000, 250_000)),
        (9_000_000, (500_000, 1_000_000, 250_000)),
        (1_749_999, (500_000, 999_999, 250_000)),
        (100_000, (28_571, 57_143, 14_286)),
        (1, (0, 1, 0)),
        (0, (0, 0, 0)),
    ],
)
async def test_a_shared_total_is_divided_by_rated_power_in_whole_watts(
    grid: Platform, total: int, expected: tuple[int, int, int]
) -> None:
    """R16: at most the rating; largest remainder; shares sum to min(total, sum of ratings) exactly."""
    await grid.north.write("POST", "/limits/foreseen", limit(grid, total, assets=[HEAT_PUMP.id, BATTERY.id, COOLER.id]))

    found = []
    for client, asset in ((grid.alpha, HEAT_PUMP.id), (grid.bravo, BATTERY.id), (grid.charlie, COOLER.id)):
        (told,) = await client.items("/limits/changes", timeout=30)
        found.append(shares(told)[asset][0])

    assert sum(found) == min(total, 1_750_000)
    assert tuple(found) == expected


async def test_a_limit_in_both_directions_weighs_the_larger_rating(grid: Platform) -> None:
    """R16: A53 weighs the larger of the two: 4.5 MW for the CHP, 1 MW for the battery."""
    body = {"series": [{"assets": [CHP.id, BATTERY.id], "periods": [grid.period(0, 1, 1_100_000)]}]}
    await grid.north.write("POST", "/limits/foreseen", body)

    (of_alpha,) = await grid.alpha.items("/limits/changes", timeout=30)
    (of_bravo,) = await grid.bravo.items("/limits/changes", timeout=30)
    assert of_alpha["direction"] == "both"
    assert shares(of_alpha) == {CHP.id: [900_000]}
    assert shares(of_bravo) == {BATTERY.id: [200_000]}


async def test_a_gap_between_periods_is_unlimited(grid: Platform) -> None:
    """R14: the share has the same gap; available power over time keeps its steps."""
    periods = [grid.period(0, 1, 100_000), grid.period(3, 5, 200_000, 0)]
    body = {"direction": "consumption", "series": [{"assets": [HEAT_PUMP.id], "periods": periods}]}
    await grid.north.write("POST", "/limits/foreseen", body)

    (told,) = await grid.alpha.items("/limits/changes", timeout=30)

    (share,) = told["shares"]
    assert [(period["start"], period["end"]) for period in share["periods"]] == [
        (grid.z(0), grid.z(1)),
        (grid.z(3), grid.z(5)),
    ]
    assert shares(told) == {HEAT_PUMP.id: [100_000, 200_000, 0]}


async def test_an_asset_without_power_in_that_direction_gets_no_share(grid: Platform) -> None:
    """R16: zero-weight assets get no series; no positive weight at all is refused (A59)."""
    body = limit(grid, 300_000, assets=[HEAT_PUMP.id, CHP.id], direction="production")
    await grid.north.write("POST", "/limits/foreseen", body)
    (told,) = await grid.alpha.items("/limits/changes", timeout=30)
    assert shares(told) == {CHP.id: [300_000]}

    body = limit(grid, 300_000, assets=[HEAT_PUMP.id], direction="production")
    await grid.north.refused("POST", "/limits/foreseen", body, status=422, reason="A59")


async def test_an_asset_of_another_grid_refuses_the_whole_limit(grid: Platform) -> None:
    """R14: A64 with the ids, and nobody is limited; unknown and foreign read the same."""
    unknown = "571313100000000089"
    details = []
    for stranger in (FLEET.id, unknown):
        body = limit(grid, 300_000, assets=[HEAT_PUMP.id, stranger])
        problem = await grid.north.refused("POST", "/limits/foreseen", body, status=422, reason="A64")
        assert stranger in str(problem)
        details.append(problem["detail"].replace(stranger, "X"))

    assert details[0] == details[1]
    assert await grid.alpha.items("/limits/changes", timeout=0) == []
    assert await grid.bravo.items("/limits/changes", timeout=0) == []


async def test_an_update_is_the_whole_content_again_and_may_change_the_assets(grid: Platform) -> None:
    """R18, R19: whoever leaves gets a cancel, whoever comes gets revision 1, everybody's copy keeps its mRID."""
    mrid = (await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000)))["mrid"]
    (first,) = await grid.alpha.items("/limits/changes", timeout=30)
    await grid.bravo.items("/limits/changes", timeout=30)

    body = limit(grid, 300_000, assets=[BATTERY.id, COOLER.id])
    assert (await grid.north.write("PUT", f"/limits/foreseen/{mrid}", body))["revision"] == 2

    (of_alpha,) = await grid.alpha.items("/limits/changes", timeout=30)
    (of_bravo,) = await grid.bravo.items("/limits/changes", timeout=30)
    (of_charlie,) = await grid.charlie.items("/limits/changes", timeout=30)
    assert (of_alpha["mrid"], of_alpha["revision"], of_alpha["status"]) == (first["mrid"], 2, "cancelled")
    assert (of_bravo["revision"], shares(of_bravo)) == (2, {BATTERY.id: [240_000]})
    assert (of_charlie["revision"], shares(of_charlie)) == (1, {COOLER.id: [60_000]})


async def test_the_copy_of_an_aggregator_tells_nothing_but_its_own(grid: Platform) -> None:
    """R18: no total, no other shares, no free text, no DSO; the mRIDs of copies have nothing in common."""
    body = {**limit(grid, 600_000), "text": "Kabelfejl ved Havnen", "reason": "B19"}
    source = (await grid.north.write("POST", "/limits/foreseen", body))["mrid"]
    (of_alpha,) = await grid.alpha.items("/limits/changes", timeout=30)
    (of_bravo,) = await grid.bravo.items("/limits/changes", timeout=30)

    assert len({source, of_alpha["mrid"], of_bravo["mrid"]}) == 3
    assert of_alpha["reasons"] == ["B19"]
    documents = [a.message.content.decode() for a in grid.arrived["alpha"] if a.message.business_type == "TPS-FORESEEN"]
    for text in (str(of_alpha), *documents):
        for secret in ("Kabelfejl", NORTH.id, BRAVO.id, BATTERY.id, source, "600000", "0.6<", "400000", "0.4<"):
            assert secret not in text


async def test_a_cancelled_limit_stays_closed(grid: Platform) -> None:
    """R19: its mRID can be used neither for an update nor for a new limit (A51)."""
    body = limit(grid, 600_000)
    mrid = (await grid.north.write("POST", "/limits/foreseen", {**body, "mrid": "evening-limit"}))["mrid"]
    assert mrid == "evening-limit"
    await grid.north.write("DELETE", f"/limits/foreseen/{mrid}")

    for method, path in (("PUT", f"/limits/foreseen/{mrid}"), ("POST", "/limits/foreseen")):
        answer = await grid.north.call(method, path, {**body, "mrid": mrid}, wait=60)
        assert (answer.status, answer.body["reason"]) == (409, "A51")
    assert await grid.alpha.items("/limits/active") == []


async def test_a_foreseen_limit_cannot_become_an_unforeseen_one(grid: Platform) -> None:
    """R19: A62 at the hub; the gateway knows no such limit of the other kind (R35: 404)."""
    mrid = (await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000)))["mrid"]
    order = {"expectedEnd": grid.z(2), "orders": [{"asset": HEAT_PUMP.id, "action": "STOP"}]}

    assert (await grid.north.call("PUT", f"/limits/unforeseen/{mrid}", order, wait=60)).status == 404


async def test_two_grid_operators_may_use_the_same_mrid(grid: Platform) -> None:
    """R18: a limit is known by its sender and its mRID; a stranger's mRID is neither taken nor revealed."""
    await grid.north.write("POST", "/limits/foreseen", {**limit(grid, 600_000), "mrid": "limit-1"})
    body = {**limit(grid, 400_000, assets=[FLEET.id]), "mrid": "limit-1"}
    await grid.south.write("POST", "/limits/foreseen", body)

    told = await grid.bravo.items("/limits/changes", timeout=30)
    told = told if len(told) == 2 else told + await grid.bravo.items("/limits/changes", timeout=30)
    assert len({item["mrid"] for item in told}) == 2
    assert [item["revision"] for item in told] == [1, 1]


@pytest.mark.parametrize(
    ("start_h", "end_h", "status"), [(-3, 2, 201), (-3, -2, 422), (24 * 366 * 2 + 48, 24 * 366 * 2 + 49, 422)]
)
async def test_a_limit_may_have_begun_but_not_have_ended(
    grid: Platform, start_h: float, end_h: float, status: int
) -> None:
    """R20: a start in the past is normal; an end in the past is A04; the horizon is two years."""
    hours = int(end_h - start_h)
    periods = [grid.period(start_h, end_h, 100_000, resolution=f"PT{hours * 60}M")]
    body = {"direction": "consumption", "series": [{"assets": [HEAT_PUMP.id], "periods": periods}]}

    answer = await grid.north.call("POST", "/limits/foreseen", body, wait=60)

    assert answer.status == status, answer
    if status == 422:
        assert answer.body["reason"] == "A04"


async def test_an_end_that_is_not_after_the_start_is_refused(grid: Platform) -> None:
    """R20."""
    body = {"series": [{"assets": [HEAT_PUMP.id], "periods": [{**grid.period(0, 1, 1), "end": grid.z(0)}]}]}

    answer = await grid.north.call("POST", "/limits/foreseen", body, wait=60)

    assert answer.status == 422
    assert answer.body["errors"][0]["at"].startswith("$.series[0].periods[0]")


async def test_limits_stand_independently_of_each_other(grid: Platform) -> None:
    """R21: two limits on one asset are two limits; withdrawing one leaves the other."""
    one = (await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000)))["mrid"]
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 100_000, assets=[HEAT_PUMP.id]))
    assert len(await grid.alpha.items("/limits/active")) == 2

    await grid.north.write("DELETE", f"/limits/foreseen/{one}")

    page = await grid.until(grid.alpha, "/limits/active", lambda page: len(page["items"]) == 1, "one limit")
    (left,) = page["items"]
    assert shares(left) == {HEAT_PUMP.id: [100_000]}


async def test_limits_are_found_by_when_they_were_issued_and_by_when_they_hold(grid: Platform) -> None:
    """R22: from/to select by when the hub issued the copy, half-open; validFrom/validTo by overlap."""
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    await grid.pass_time(600)
    periods = [grid.period(10, 12, 50_000, resolution="PT120M")]
    later = {"direction": "consumption", "series": [{"assets": [HEAT_PUMP.id], "periods": periods}]}
    await grid.north.write("POST", "/limits/foreseen", later)
    alpha = grid.alpha
    await grid.until(alpha, "/limits", lambda page: len(page["items"]) == 2, "both limits")
    first, second = sorted(await alpha.items("/limits"), key=lambda item: item["issued"])

    assert await alpha.items("/limits", from_=first["issued"], to=second["issued"]) == [first]
    assert await alpha.items("/limits", from_=second["issued"]) == [second]
    assert await alpha.items("/limits", to=first["issued"]) == []
    assert await alpha.items("/limits", validFrom=grid.z(11)) == [second]
    assert await alpha.items("/limits", validFrom=grid.z(2), validTo=grid.z(10)) == []
    assert await alpha.items("/limits", validTo=grid.z(1)) == [first]
    answer = await alpha.call("GET", "/limits", query={"from": grid.z(2), "to": grid.z(1)})
    assert answer.status == 400


async def test_active_limits_are_those_not_cancelled_and_not_over_future_ones_included(grid: Platform) -> None:
    """R22."""
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    periods = [grid.period(240, 242, 50_000, resolution="PT120M")]
    future = {"direction": "consumption", "series": [{"assets": [HEAT_PUMP.id], "periods": periods}]}
    await grid.north.write("POST", "/limits/foreseen", future)
    await grid.until(grid.alpha, "/limits/active", lambda page: len(page["items"]) == 2, "both")

    await grid.pass_time(4 * 3600)

    (left,) = await grid.alpha.items("/limits/active")
    assert shares(left) == {HEAT_PUMP.id: [50_000]}
    assert len(await grid.alpha.items("/limits")) == 2


async def test_the_first_call_gives_all_limits_that_stand_and_later_ones_what_came_since(grid: Platform) -> None:
    """R33: without `after`; each token for itself. With `after` nothing is missed, cancels included (R32)."""
    alpha = grid.alpha
    mrid = (await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000)))["mrid"]
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 100_000, assets=[HEAT_PUMP.id]))
    await grid.until(alpha, "/limits/active", lambda page: len(page["items"]) == 2, "both")

    first = await alpha.get("/limits/changes", timeout=0)
    assert len(first["items"]) == 2
    assert await alpha.items("/limits/changes", timeout=0) == []
    await grid.north.write("DELETE", f"/limits/foreseen/{mrid}")
    (cancel,) = await alpha.items("/limits/changes", timeout=30)
    assert cancel["status"] == "cancelled"
    assert await alpha.items("/limits/changes", timeout=0) == []
    assert await alpha.items("/limits/changes", after=first["next"], timeout=0) == [cancel]
    feed = await alpha.items("/limits/changes", after="0", timeout=0)
    assert [item["sequence"] for item in feed] == [1, 2, 3]


async def test_a_cursor_of_another_feed_is_refused(grid: Platform) -> None:
    """R32: opaque, and of this feed."""
    cursor = (await grid.north.get("/assets/changes", timeout=0))["next"]
    for client, path, after in (
        (grid.north, "/schedules/changes", cursor),
        (grid.north, "/assets/changes", "nonsense"),
        (grid.north, "/assets/changes", cursor + "AA"),
    ):
        assert (await client.call("GET", path, query={"after": after, "timeout": "0"})).status == 400


async def test_what_is_anothers_reads_as_unknown(grid: Platform) -> None:
    """R5, R35, NF3: another's limit, and one that never was, give the same answer."""
    mrid = (await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000)))["mrid"]
    (told,) = await grid.alpha.items("/limits/changes", timeout=30)

    for client, path in (
        (grid.bravo, f"/limits/{told['mrid']}"),
        (grid.alpha, f"/limits/{mrid}"),
        (grid.alpha, "/limits/never-was"),
        (grid.south, f"/limits/foreseen/{mrid}"),
        (grid.south, f"/messages/{mrid}"),
    ):
        answer = await client.call("GET", path)
        assert answer.status == 404
        assert {n: v for n, v in answer.body.items() if n != "instance"} == await _unknown(client)
    answer = await grid.south.call("DELETE", f"/limits/foreseen/{mrid}")
    assert answer.status == 404
    answer = await grid.south.call("PUT", f"/limits/foreseen/{mrid}", limit(grid, 1, assets=[FLEET.id]))
    assert answer.status == 404


async def test_a_limit_can_be_asked_for_again(grid: Platform) -> None:
    """R13: POST /limits/request answers an AGR with its non-expired limits at their current revision."""
    mrid = (await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000)))["mrid"]
    await grid.north.write("PUT", f"/limits/foreseen/{mrid}", limit(grid, 300_000))
    await grid.until(grid.alpha, "/limits/active", lambda page: page["items"][0]["revision"] == 2, "revision 2")
    before = len(grid.documents("alpha"))

    await grid.alpha.write("POST", "/limits/request")
    await grid.quiet()

    (again,) = [d for d in grid.documents("alpha")[before:] if isinstance(d, UnavailabilityMarketDocument)]
    assert again.revision == 2
    assert len(await grid.alpha.items("/limits")) == 1


async def test_a_gateway_that_lost_everything_gets_its_limits_back(grid: Platform) -> None:
    """R13: revisions and shares as they are now."""
    mrid = (await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000)))["mrid"]
    await grid.north.write("PUT", f"/limits/foreseen/{mrid}", limit(grid, 300_000))
    (before,) = (await grid.until(grid.alpha, "/limits/active", lambda p: p["items"][0]["revision"] == 2, "2"))["items"]

    await grid.kill(ALPHA.name)
    grid.forget(ALPHA.name)
    await grid.start(ALPHA.name)

    page = await grid.until(grid.alpha, "/limits/active", lambda page: page["items"], "its limit")
    (after,) = page["items"]
    assert {n: v for n, v in after.items() if n not in {"sequence", "issued"}} == {
        n: v for n, v in before.items() if n not in {"sequence", "issued"}
    }


async def test_a_grid_operator_reads_its_own_limits(grid: Platform) -> None:
    """F6: as sent, with where each stands."""
    mrid = (await grid.north.write("POST", "/limits/foreseen", {**limit(grid, 600_000), "text": "Kabelfejl"}))["mrid"]

    (mine,) = await grid.north.items("/limits")

    assert (mine["mrid"], mine["state"], mine["kind"], mine["text"]) == (mrid, "accepted", "foreseen", "Kabelfejl")
    assert mine["series"][0]["assets"] == [HEAT_PUMP.id, BATTERY.id]
    assert mine == await grid.north.get(f"/limits/foreseen/{mrid}")
    assert await grid.south.items("/limits") == []
    assert PLANT.id not in str(mine)
    assert SOUTH.id not in str(mine)


def limit(platform: Platform, watts: int, *, assets: list[str] | None = None, direction: str = "consumption") -> Json:
    """A limit for the coming two hours; unless told otherwise on the heat pump (500 kW) and the battery (1 MW)."""
    periods = [platform.period(0, 2, watts, resolution="PT120M")]
    return {"direction": direction, "series": [{"assets": assets or [HEAT_PUMP.id, BATTERY.id], "periods": periods}]}


async def _waiting(client: Client) -> int:
    return client.gateway.door.polling


async def _unknown(client: Client) -> Json:
    answer = await client.call("GET", "/messages/0123456789abcdef0123456789abcdef")
    return {name: value for name, value in answer.body.items() if name != "instance"}
