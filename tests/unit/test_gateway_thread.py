"""The way of a limit through both gateways and the hub, over REST (F4-F7)."""

from tests.gateway_world import A1, A2, ALPHA, BRAVO, NORTH, P1, World, asset, period


async def test_a_limit_posted_at_the_dso_reaches_each_aggregators_long_poll_as_its_share() -> None:
    async with World.running() as world:
        north, alpha, bravo = await world.dso(NORTH), await world.agr(ALPHA), await world.agr(BRAVO)
        await north.write("PUT", "/connection-points", {"connectionPoints": [{"id": P1}]})
        await alpha.write("PUT", "/assets", {"assets": [asset(A1, P1, consumes=1_000_000)]})
        await bravo.write("PUT", "/assets", {"assets": [asset(A2, P1, consumes=3_000_000)]})
        await world.system.beat()

        curve = period("2026-01-16T12:00:00Z", "2026-01-16T14:00:00Z", 2_000_000, 1_000_000)
        sent = await north.write("POST", "/limits/foreseen", {"series": [{"assets": [A1, A2], "periods": [curve]}]})
        of_alpha = await alpha.get("/limits/changes")
        of_bravo = await bravo.get("/limits/changes")

        assert sent["verdict"] == "accepted"
        assert [p["quantity"] for p in of_alpha["items"][0]["shares"][0]["periods"][0]["points"]] == [500_000, 250_000]
        assert [p["quantity"] for p in of_bravo["items"][0]["shares"][0]["periods"][0]["points"]] == [
            1_500_000,
            750_000,
        ]
        assert {item["id"] for item in (await north.get("/assets"))["items"]} == {A1, A2}
