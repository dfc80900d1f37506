"""The network drops, doubles, delays and reorders messages: what participants read converges to what they would read
without (NF1).

A random small day is played over a faulty road until everything is answered; then the faults end and the views must be
those of the same day over a good road. Hypothesis chooses the day and the faults.
"""

from collections.abc import Awaitable, Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.demo.cast import BATTERY, CHP, COOLER, HEAT_PUMP, N1, N2
from hub.mades.memory import Faults
from tests.acceptance.platform import Answer, Client, Json, Platform
from tests.acceptance.test_f6_foreseen_limits import limit
from tests.acceptance.test_f7_unforeseen_limits import order
from tests.acceptance.test_f8_schedules import schedule
from tests.acceptance.test_restart import what_all_see
from tests.thoroughness import examples

Step = Callable[[Platform], Awaitable[Answer]]
WAIT_S = 300
POWER = st.integers(1, 5).map(lambda n: n * 100_000)


def plan(number: int) -> Step:
    """Alpha plans, replans and withdraws."""

    async def play(platform: Platform) -> Answer:
        body = {**schedule(platform, (HEAT_PUMP.id, [-number * 1000]), (CHP.id, [number])), "mrid": "plan"}
        if number == 5:
            return await platform.alpha.call("DELETE", "/schedules/plan", wait=WAIT_S)
        if (await platform.alpha.call("GET", "/schedules/plan")).status == 404:
            return await platform.alpha.call("POST", "/schedules", body, wait=WAIT_S)
        return await platform.alpha.call("PUT", "/schedules/plan", body, wait=WAIT_S)

    return play


def announce(name: str, watts: int) -> Step:
    """North announces, changes, and in the end withdraws a limit."""

    async def play(platform: Platform) -> Answer:
        assets = [HEAT_PUMP.id, BATTERY.id] + ([COOLER.id] if watts > 300_000 else [])
        body = {**limit(platform, watts, assets=assets), "mrid": name}
        path = f"/limits/foreseen/{name}"
        if (await platform.north.call("GET", path)).status == 404:
            return await platform.north.call("POST", "/limits/foreseen", body, wait=WAIT_S)
        if watts == 100_000:
            return await platform.north.call("DELETE", path, wait=WAIT_S)
        return await platform.north.call("PUT", path, body, wait=WAIT_S)

    return play


def stop(number: int) -> Step:
    """North orders a stop, each time another one."""

    async def play(platform: Platform) -> Answer:
        body = {**order(platform, (BATTERY.id, "STOP")), "mrid": f"stop-{number}"}
        return await platform.north.call("POST", "/limits/unforeseen", body, wait=WAIT_S)

    return play


def rate(watts: int) -> Step:
    """Bravo changes the rating of its battery, or takes it away and back."""

    async def play(platform: Platform) -> Answer:
        path = f"/assets/{BATTERY.id}"
        if watts == 500_000 and (await platform.bravo.call("GET", path)).status == 200:
            return await platform.bravo.call("DELETE", path, wait=WAIT_S)
        body = {"connectionPoint": N1 if watts < 300_000 else N2, "maxConsumption": watts}
        return await platform.bravo.call("PUT", path, body, wait=WAIT_S)

    return play


STEPS = st.lists(
    st.one_of(
        st.integers(1, 5).map(plan),
        st.builds(announce, st.sampled_from(["one", "two"]), POWER),
        st.integers(1, 3).map(stop),
        POWER.map(rate),
    ),
    min_size=2,
    max_size=7,
)
ODDS = st.sampled_from([0.0, 0.1, 0.3])
FAULTS = st.builds(
    Faults, drop=ODDS, lose_confirm=ODDS, duplicate=ODDS, reorder=ODDS, delay=ODDS, max_delay_s=st.just(4.0)
)


@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(day=STEPS, faults=FAULTS, seed=st.integers(0, 999))
async def test_a_faulty_road_ends_where_a_good_road_ends(day: list[Step], faults: Faults, seed: int) -> None:
    """NF1, R10, R12, R18, R19, R28: nothing lost, nothing doubled, nothing in a wrong order that lasts."""
    expected = await _played(day, Faults(), seed)
    assert await _played(day, faults, seed) == expected


async def _played(day: list[Step], faults: Faults, seed: int) -> Json:
    async with Platform.running(seed=seed) as platform:
        await platform.register_all()
        platform.network.faults = faults
        verdicts = [_verdict(await platform.patiently(step(platform))) for step in day]
        platform.network.faults = Faults()
        await platform.pass_time(120)
        for _ in range(3):
            await platform.beat()
        for name in platform.clients:
            await _told_in_order(platform.clients[name])
        return {"verdicts": verdicts, **await what_all_see(platform)}


def _verdict(answer: Answer) -> Json:
    """The verdict on a write, without what is made by chance."""
    assert answer.status != 202, "a write was not answered in time"
    return [answer.status, answer.body.get("verdict"), answer.body.get("reason"), answer.body.get("accepted")]


async def _told_in_order(client: Client) -> None:
    """A feed counts without gaps, and a later word about a limit is never an older revision."""
    dso = client.player.role == "DSO"
    for path in ("/assets/changes", "/schedules/changes") if dso else ("/limits/changes",):
        feed = await client.items(path, after="0", timeout=0)
        assert [item["sequence"] for item in feed] == list(range(1, len(feed) + 1))
        revisions: dict[str, int] = {}
        for item in feed:
            if "revision" in item:
                assert item["revision"] > revisions.get(item["mrid"], 0)
                revisions[item["mrid"]] = item["revision"]
