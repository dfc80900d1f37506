"""F8: an AGR SHALL be able to send, update and withdraw operational schedules of its assets, in either direction.

Rules R20, R23, R24, R34, R35. Signed watts: + production (feeds the grid), - consumption (draws from it).
"""

import pytest

from documents.model import GlMarketDocument
from gateways.demo.cast import BATTERY, CHP, FLEET, HEAT_PUMP
from tests.acceptance.platform import Client, Json, Platform, quantities


async def test_a_schedule_is_sent_and_accepted(grid: Platform, alpha: Client) -> None:
    """F8: one document, one series per asset."""
    sent = await alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-400_000]), (CHP.id, [2_000_000])))

    mine = await alpha.get(f"/schedules/{sent['mrid']}")
    assert mine["revision"] == 1
    assert {s["asset"]: (quantities(s), s["state"]) for s in mine["series"]} == {
        HEAT_PUMP.id: ([-400_000], "accepted"),
        CHP.id: ([2_000_000], "accepted"),
    }


async def test_signs_are_kept_on_the_wire(grid: Platform, bravo: Client) -> None:
    """F8, R25: production is positive, consumption is negative, in the document as in the JSON."""
    await bravo.write("POST", "/schedules", schedule(grid, (BATTERY.id, [1_000_000, 0, -750_500])))

    (document,) = grid.documents("hub", business_type="TPS-SCHEDULES")

    assert isinstance(document, GlMarketDocument)
    ((period,),) = [series.periods for series in document.series]
    assert [point.quantity for point in period.points] == [1_000_000, 0, -750_500]
    assert period.interval.start == grid.at(0)


async def test_put_replaces_the_whole_schedule(grid: Platform, alpha: Client) -> None:
    """R24: an asset left out is withdrawn; the gateway says so with cancelledTS."""
    mrid = (await alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-400_000]), (CHP.id, [2_000_000]))))[
        "mrid"
    ]
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-400_000], CHP.id: [2_000_000]})

    answer = await alpha.write("PUT", f"/schedules/{mrid}", schedule(grid, (CHP.id, [1_000_000])))

    assert answer["revision"] == 2
    await grid.sees_plans(grid.north, {CHP.id: [1_000_000]})
    mine = await alpha.get(f"/schedules/{mrid}")
    assert {s["asset"]: s["state"] for s in mine["series"]} == {HEAT_PUMP.id: "withdrawn", CHP.id: "accepted"}


async def test_patch_changes_the_named_assets_and_leaves_the_others(grid: Platform, alpha: Client) -> None:
    """R24: an omitted series stays."""
    mrid = (await alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-400_000]), (CHP.id, [2_000_000]))))[
        "mrid"
    ]

    await alpha.write("PATCH", f"/schedules/{mrid}", schedule(grid, (CHP.id, [1_500_000])))

    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-400_000], CHP.id: [1_500_000]})
    (_, revision) = grid.documents("hub", business_type="TPS-SCHEDULES")
    assert isinstance(revision, GlMarketDocument)
    assert [series.resource for series in revision.series] == [f"A10:{CHP.id}"]


async def test_delete_withdraws_all_or_the_named_assets(grid: Platform, alpha: Client) -> None:
    """R24: `DELETE` cancels all, or `?asset=` some."""
    mrid = (await alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-400_000]), (CHP.id, [2_000_000]))))[
        "mrid"
    ]
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-400_000], CHP.id: [2_000_000]})

    await alpha.write("DELETE", f"/schedules/{mrid}", query={"asset": CHP.id})
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-400_000]})

    await alpha.write("DELETE", f"/schedules/{mrid}")
    await grid.sees_plans(grid.north, {})


async def test_a_withdrawn_asset_can_be_planned_again(grid: Platform, alpha: Client) -> None:
    """R24: in the same document, as its next revision."""
    mrid = (await alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-400_000]))))["mrid"]
    await alpha.write("DELETE", f"/schedules/{mrid}")

    await alpha.write("PUT", f"/schedules/{mrid}", schedule(grid, (HEAT_PUMP.id, [-300_000])))

    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-300_000]})


async def test_one_live_plan_for_each_asset_and_instant(grid: Platform, alpha: Client) -> None:
    """R23: an overlap under another mRID is refused (A55), naming the sender's own other document."""
    first = (await alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1, -2]))))["mrid"]

    problem = await alpha.refused(
        "POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-3]), start_h=1), status=409, reason="A55"
    )
    assert first in str(problem)

    await alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-3]), start_h=2))


@pytest.mark.parametrize(
    ("asset", "watts"),
    [(HEAT_PUMP, -500_001), (HEAT_PUMP, 1), (CHP, 4_500_001), (CHP, -120_001)],
    ids=["too much consumption", "a sign it cannot have", "too much production", "too much on the other side"],
)
async def test_a_plan_the_asset_cannot_follow_is_refused(
    grid: Platform, alpha: Client, asset: Json, watts: int
) -> None:
    """R23: above the rating, or of a sign the asset cannot have: A42."""
    problem = await alpha.refused(
        "POST", "/schedules", schedule(grid, (asset.id, [0, watts])), status=422, reason="A42"
    )

    assert str(watts) in str(problem)


async def test_each_series_is_judged_by_itself(grid: Platform, alpha: Client) -> None:
    """R3, R23, R35: A03 is 200 with what was accepted and what was not; the accepted part reaches the DSO."""
    body = schedule(grid, (HEAT_PUMP.id, [-400_000]), (CHP.id, [9_000_000]))

    answer = await alpha.call("POST", "/schedules", body, wait=60)

    assert (answer.status, answer.body["verdict"]) == (200, "partlyAccepted")
    assert answer.body["accepted"] == [HEAT_PUMP.id]
    ((refused,),) = [answer.body["rejected"]]
    assert (refused["id"], refused["reasons"][0]["code"]) == (CHP.id, "A42")
    await grid.sees_plans(grid.north, {HEAT_PUMP.id: [-400_000]})
    mine = await alpha.get(f"/schedules/{answer.body['mrid']}")
    assert {s["asset"]: s["state"] for s in mine["series"]} == {HEAT_PUMP.id: "accepted", CHP.id: "refused"}


async def test_anothers_asset_reads_as_unknown(grid: Platform, alpha: Client) -> None:
    """R23: A64 for an asset the sender does not operate, in the words for one that does not exist."""
    said = []
    for asset in (FLEET.id, "571313100000000089"):
        body = schedule(grid, (asset, [-1]))
        problem = await alpha.refused("POST", "/schedules", body, status=422, reason="A64")
        said.append(str(problem["errors"]).replace(asset, "X"))

    assert said[0] == said[1]


@pytest.mark.parametrize(("start_h", "hours", "status"), [(-3, 5, 201), (-3, 2, 422), (24 * 366 * 2 + 48, 1, 422)])
async def test_a_schedule_may_have_begun_but_not_have_ended(
    grid: Platform, alpha: Client, start_h: int, hours: int, status: int
) -> None:
    """R20: the same for schedules as for limits (A04)."""
    answer = await alpha.call(
        "POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1] * hours), start_h=start_h), wait=60
    )

    assert answer.status == status, answer
    if status == 422:
        assert answer.body["reason"] == "A04"


async def test_after_its_end_a_schedule_can_be_neither_changed_nor_withdrawn(grid: Platform, alpha: Client) -> None:
    """R20."""
    mrid = (await alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1]))))["mrid"]

    await grid.pass_time(3 * 3600)

    await alpha.refused("PUT", f"/schedules/{mrid}", schedule(grid, (HEAT_PUMP.id, [-2])), status=422, reason="A04")
    await alpha.refused("DELETE", f"/schedules/{mrid}", status=422, reason="A04")


async def test_an_unknown_schedule_is_not_found(grid: Platform, alpha: Client) -> None:
    """R35: PUT or DELETE of an unknown mRID: 404; another's reads the same."""
    other = (await grid.bravo.write("POST", "/schedules", schedule(grid, (BATTERY.id, [-1]))))["mrid"]

    for mrid in ("never-was", other):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            body = None if method in {"GET", "DELETE"} else schedule(grid, (HEAT_PUMP.id, [-1]))
            answer = await alpha.call(method, f"/schedules/{mrid}", body, wait=60)
            assert answer.status == 404, answer


async def test_schedules_are_found_by_asset_and_time(grid: Platform, alpha: Client) -> None:
    """F8: `GET /schedules?asset=&from=&to=`."""
    early = (await alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1]))))["mrid"]
    late = (await alpha.write("POST", "/schedules", schedule(grid, (CHP.id, [1]), start_h=10)))["mrid"]

    async def found(**query: str) -> set[str]:
        return {item["mrid"] for item in await alpha.items("/schedules", **query)}

    assert await found() == {early, late}
    assert await found(asset=CHP.id) == {late}
    assert await found(from_=grid.z(5)) == {late}
    assert await found(to=grid.z(5)) == {early}
    assert await found(from_=grid.z(2), to=grid.z(10)) == set()


async def test_a_day_of_quarter_hours_is_kept_as_planned(grid: Platform, alpha: Client) -> None:
    """F8: 96 values and more; what is flat is shown with its changes only, and means the same."""
    values = [-(n % 7) * 10_000 for n in range(100)]
    period = grid.period(0, 25, *values, resolution="PT15M")
    mrid = (await alpha.write("POST", "/schedules", {"series": [{"asset": HEAT_PUMP.id, "periods": [period]}]}))["mrid"]

    (series,) = (await alpha.get(f"/schedules/{mrid}"))["series"]

    assert quantities(series) == values


async def test_a_curve_with_a_missing_position_is_refused_with_its_place(grid: Platform, alpha: Client) -> None:
    """F8: curve A01 has every position; A03 may leave out repetitions."""
    period = grid.period(0, 3, -1, -2)
    body = {"series": [{"asset": HEAT_PUMP.id, "periods": [period]}]}
    answer = await alpha.call("POST", "/schedules", body, wait=60)
    assert answer.status == 422
    assert answer.body["errors"][0]["at"] == "$.series[0].periods[0].points"

    body = {"series": [{"asset": HEAT_PUMP.id, "curveType": "A03", "periods": [period]}]}
    await alpha.write("POST", "/schedules", body)


async def test_a_repeated_write_with_its_key_is_one_write(grid: Platform, alpha: Client) -> None:
    """F8, Idempotency-Key: the repeat gets the first answer; another body under the same key is refused."""
    body = schedule(grid, (HEAT_PUMP.id, [-1]))
    headers = {"Idempotency-Key": "plan-of-today"}

    first = await alpha.write("POST", "/schedules", body, headers=headers)
    again = await alpha.call("POST", "/schedules", body, wait=60, headers=headers)
    other = await alpha.call("POST", "/schedules", schedule(grid, (CHP.id, [1])), wait=60, headers=headers)

    assert again.status in {200, 201}
    assert again.body == first
    assert other.status == 422
    assert len(await alpha.items("/schedules")) == 1
    assert len(grid.documents("hub", business_type="TPS-SCHEDULES")) == 1


def schedule(platform: Platform, *plans: tuple[str, list[int]], start_h: int = 0) -> Json:
    """Plans of assets, an hour for each value."""
    return {
        "series": [
            {"asset": asset, "periods": [platform.period(start_h, start_h + len(watts), *watts)]}
            for asset, watts in plans
        ]
    }
