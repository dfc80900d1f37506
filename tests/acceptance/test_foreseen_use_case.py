"""The use case of a foreseen limit, step by step, as its participants live it (F4-F6, F8, F9).

Register, list, schedules checked, limit, shares; the DSO changes its mind; the limit is withdrawn. Then once more with
no schedules at all, because a limit needs none (R25).
"""

from gateways.demo.cast import BATTERY, COOLER, HEAT_PUMP, N1, PLANT
from tests.acceptance.platform import Json, Platform, quantities, shares


async def test_a_foreseen_limit_from_registration_to_its_end(platform: Platform) -> None:
    north, alpha, bravo, charlie = platform.north, platform.alpha, platform.bravo, platform.charlie

    # 1. The DSO registers its connection points, the AGRs their assets (F4).
    await platform.register_points()
    await platform.register_assets()

    # 2. The DSO sees what hangs on its grid (F5).
    await platform.until(north, "/assets", lambda page: len(page["items"]) == 4, "the four assets of its grid")
    at_n1 = await north.items("/assets", connectionPoint=N1)
    assert {item["id"] for item in at_n1} == {HEAT_PUMP.id, BATTERY.id, COOLER.id}
    assert {item["id"]: item["maxConsumption"] for item in at_n1}[HEAT_PUMP.id] == 500_000

    # 3. The AGRs send their schedules, the DSO checks them and foresees a bottleneck (F8, F9).
    await platform.submit_plan(alpha, HEAT_PUMP, -400_000, -450_000, -300_000)
    await platform.submit_plan(bravo, BATTERY, -900_000, -800_000, -100_000)
    await platform.submit_plan(charlie, COOLER, -250_000, -200_000, -100_000)
    page = await platform.until(north, "/schedules", lambda page: len(page["items"]) == 3, "the three schedules")
    at_peak = sum(quantities(item)[0] for item in page["items"])
    assert at_peak == -1_550_000

    # 4. The DSO announces a limit on the three assets together (F6).
    body = _limit(platform, [HEAT_PUMP.id, BATTERY.id, COOLER.id], 700_000, 350_000, 100_000)
    sent = await north.write("POST", "/limits/foreseen", body)
    mrid = sent["mrid"]

    # 5. Each AGR's long poll answers with its own share, divided by rated power (R16).
    for client, asset, expected in (
        (alpha, HEAT_PUMP.id, [200_000, 100_000, 28_571]),
        (bravo, BATTERY.id, [400_000, 200_000, 57_143]),
        (charlie, COOLER.id, [100_000, 50_000, 14_286]),
    ):
        (limit,) = await client.items("/limits/changes", timeout=30)
        assert shares(limit) == {asset: expected}
        assert (limit["revision"], limit["kind"], limit["status"]) == (1, "foreseen", "active")
        assert (limit["start"], limit["end"]) == (platform.z(0), platform.z(3))
    # 6. The AGRs plan anew within their shares, the DSO sees it (F8, F9).
    await _replan(platform)

    # 7. The forecast changes: less power is missing, and the cold store is no longer part of it (R19).
    update = _limit(platform, [HEAT_PUMP.id, BATTERY.id], 700_000)
    changed = await north.write("PUT", f"/limits/foreseen/{mrid}", update)
    assert changed["revision"] == 2
    (of_alpha,) = await alpha.items("/limits/changes", timeout=30)
    (of_bravo,) = await bravo.items("/limits/changes", timeout=30)
    (of_charlie,) = await charlie.items("/limits/changes", timeout=30)
    assert shares(of_alpha) == {HEAT_PUMP.id: [233_333]}
    assert shares(of_bravo) == {BATTERY.id: [466_667]}
    assert of_alpha["revision"] == of_bravo["revision"] == 2
    assert (of_charlie["status"], of_charlie["revision"]) == ("cancelled", 2)
    assert await charlie.items("/limits/active") == []

    # 8. The DSO withdraws the limit; nobody is limited any longer.
    await north.write("DELETE", f"/limits/foreseen/{mrid}")
    for client in (alpha, bravo):
        (limit,) = await client.items("/limits/changes", timeout=30)
        assert (limit["status"], limit["revision"]) == ("cancelled", 3)
        assert await client.items("/limits/active") == []
    assert await charlie.items("/limits/changes", timeout=0) == [], "who is out of it hears nothing more of it"
    assert (await north.get(f"/limits/foreseen/{mrid}"))["state"] == "cancelled"


async def test_a_foreseen_limit_works_without_a_single_schedule(grid: Platform) -> None:
    """R25: a DSO without any schedules from AGRs still works."""
    north = grid.north
    assert await north.items("/schedules") == []

    sent = await north.write("POST", "/limits/foreseen", _limit(grid, [HEAT_PUMP.id, BATTERY.id], 600_000))

    (of_alpha,) = await grid.alpha.items("/limits/changes", timeout=30)
    (of_bravo,) = await grid.bravo.items("/limits/changes", timeout=30)
    assert shares(of_alpha) == {HEAT_PUMP.id: [200_000]}
    assert shares(of_bravo) == {BATTERY.id: [400_000]}
    await north.write("DELETE", f"/limits/foreseen/{sent['mrid']}")
    (of_alpha,) = await grid.alpha.items("/limits/changes", timeout=30)
    assert of_alpha["status"] == "cancelled"


async def test_a_foreseen_limit_ends_with_its_interval(grid: Platform) -> None:
    """R20, R22: what is over is no longer active, stays readable, and can be neither changed nor withdrawn."""
    north, alpha = grid.north, grid.alpha
    sent = await north.write("POST", "/limits/foreseen", _limit(grid, [HEAT_PUMP.id], 100_000))
    (limit,) = await alpha.items("/limits/changes", timeout=30)
    end_h = 4

    await grid.pass_time(end_h * 3600)

    assert await alpha.items("/limits/active") == []
    assert (await alpha.get(f"/limits/{limit['mrid']}"))["status"] == "ended"
    late = _limit(grid, [HEAT_PUMP.id], 50_000)
    await north.refused("PUT", f"/limits/foreseen/{sent['mrid']}", late, status=422, reason="A04")
    await north.refused("DELETE", f"/limits/foreseen/{sent['mrid']}", status=422, reason="A04")


async def test_production_is_limited_apart_from_consumption(grid: Platform) -> None:
    """R14, R21: a limit says which direction it means; the other direction stays free."""
    body = {
        "direction": "production",
        "series": [{"assets": [PLANT.id], "periods": [grid.period(0, 1, 1_000_000)]}],
    }
    await grid.south.write("POST", "/limits/foreseen", body)

    (limit,) = await grid.charlie.items("/limits/changes", timeout=30)

    assert limit["direction"] == "production"
    assert shares(limit) == {PLANT.id: [1_000_000]}


def _limit(platform: Platform, assets: list[str], *watts: int) -> Json:
    """The bottleneck of the coming three hours."""
    hours = 3 // len(watts)
    return {
        "direction": "consumption",
        "series": [
            {"assets": assets, "periods": [platform.period(0, 3, *watts, resolution=f"PT{hours * 60}M")]},
        ],
    }


async def _replan(platform: Platform) -> None:
    (plan,) = await platform.alpha.items("/schedules")
    series = [{"asset": HEAT_PUMP.id, "periods": [platform.period(0, 3, -200_000, -100_000, -28_000)]}]
    await platform.alpha.write("PUT", f"/schedules/{plan['mrid']}", {"series": series})
    await platform.until(
        platform.north,
        "/schedules",
        lambda page: any(quantities(item) == [-200_000, -100_000, -28_000] for item in page["items"]),
        "the new plan",
        asset=HEAT_PUMP.id,
    )
