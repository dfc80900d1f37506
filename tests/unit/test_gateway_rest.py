"""What clients of the gateways can rely on: waits, cursors, repeats, pages, states (R29, R32-R35)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from gateways.agr.rows import LIMITS
from gateways.commands import Ask
from gateways.dso.app import build as build_dso
from hub.feed import Cursor
from hub.mades.memory import Faults
from hub.mades.paths import Party
from hub.ports import Batch
from hub.store.memory import MemoryStore
from tests.gateway_world import A1, A2, A3, ALPHA, BRAVO, NORTH, P1, P2, Client, World, asset, period
from tests.keyring import seals_of

DAY = ("2026-01-16T12:00:00Z", "2026-01-16T14:00:00Z")


def foreseen(*watts: int, mrid: str | None = None, assets: tuple[str, ...] = (A1,), day: int = 16) -> dict[str, Any]:
    # The world's clock stands at 12:00 on the 15th; a limit of that day is over two minutes later.
    span = (f"2026-01-{day}T12:00:00Z", f"2026-01-{day}T14:00:00Z")
    step = "PT60M"
    if day == 15:
        span, step = ("2026-01-15T12:00:00Z", "2026-01-15T12:02:00Z"), "PT1M"
    curve = period(*span, *(watts or (1000, 500)), resolution=step)
    body: dict[str, Any] = {"series": [{"assets": list(assets), "periods": [curve]}]}
    return {**body, "mrid": mrid} if mrid else body


def schedule(*assets: str, watts: tuple[int, int] = (-100, -200)) -> dict[str, Any]:
    return {"series": [{"asset": one, "periods": [period(*DAY, *watts)]} for one in assets]}


class Scene:
    """A DSO with two points, an aggregator with two assets, all known to the hub."""

    def __init__(self, world: World, north: Client, alpha: Client) -> None:
        self.world, self.north, self.alpha = world, north, alpha


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    async with World.running() as world:
        north, alpha = await world.dso(NORTH), await world.agr(ALPHA)
        await north.write("PUT", "/connection-points", {"connectionPoints": [{"id": P1}, {"id": P2}]})
        assets = [asset(A1, P1, consumes=10_000), asset(A2, P2, consumes=5_000, produces=5_000)]
        await alpha.write("PUT", "/assets", {"assets": assets})
        await world.system.beat()
        yield Scene(world, north, alpha)


async def test_r33_the_first_call_gives_all_limits_that_are_not_over_and_later_ones_what_came_since(
    scene: Scene,
) -> None:
    await scene.north.write("POST", "/limits/foreseen", foreseen(mrid="first"))
    await scene.north.write("POST", "/limits/foreseen", foreseen(mrid="second", day=17))
    await scene.north.write("DELETE", "/limits/foreseen/first")
    await scene.world.system.quiet()

    first = await scene.alpha.get("/limits/changes")
    await scene.north.write("POST", "/limits/foreseen", foreseen(mrid="third", day=18))
    then = await scene.alpha.get("/limits/changes")
    empty = await scene.alpha.get("/limits/changes?timeout=0")

    assert [(item["start"][8:10], item["status"]) for item in first["items"]] == [("17", "active")]
    assert [item["start"][8:10] for item in then["items"]] == ["18"]
    assert empty["items"] == []
    assert empty["next"] == then["next"]


async def test_r32_from_the_beginning_the_feed_has_no_gap_and_shows_cancelled_and_ended_ones(scene: Scene) -> None:
    await scene.north.write("POST", "/limits/foreseen", foreseen(mrid="first", day=15))
    await scene.north.write("POST", "/limits/foreseen", foreseen(mrid="second", day=17))
    await scene.north.write("DELETE", "/limits/foreseen/second")
    await scene.world.system.quiet()
    await scene.world.system.clock.advance(121)

    feed = await scene.alpha.get("/limits/changes?after=0&timeout=0")

    assert [(item["sequence"], item["revision"], item["status"]) for item in feed["items"]] == [
        (1, 1, "ended"),
        (2, 1, "active"),
        (3, 2, "cancelled"),
    ]


async def test_r33_a_cursor_repeats_what_was_answered_after_it(scene: Scene) -> None:
    begin = await scene.alpha.get("/limits/changes?after=0&timeout=0")
    await scene.north.write("POST", "/limits/foreseen", foreseen())

    once = await scene.alpha.get(f"/limits/changes?after={begin['next']}")
    again = await scene.alpha.get(f"/limits/changes?after={begin['next']}")

    assert once["items"] == again["items"]
    assert len(once["items"]) == 1


def running(name: str) -> int:
    """How many tasks of this name there are."""
    return sum(task.get_name() == name for task in asyncio.all_tasks())


async def test_r29_what_was_collected_just_before_the_end_of_a_gateway_is_noted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.north.write("POST", "/limits/foreseen", foreseen())
    await scene.world.system.quiet()
    gateway, gate = scene.alpha.gateway, asyncio.Event()
    assert isinstance(gateway.store, MemoryStore)
    log, commit = gateway.store.log, gateway.store.commit.commit

    async def held(batch: Batch) -> int:
        await gate.wait()
        return await commit(batch)

    monkeypatch.setattr(gateway.store.commit, "commit", held)
    busy = asyncio.create_task(gateway.desk.submit(Ask(mrid="a", subject="A53"), cause="a"))
    assert len((await scene.alpha.get("/limits/changes"))["items"]) == 1

    loops = running("gateway.collected")
    gateway.stop()
    await scene.world.system.until(lambda: running("gateway.collected") < loops, "the loops to end")
    gate.set()
    await busy

    await scene.world.system.until(
        lambda: any(event.topic.startswith("Collected") for event in log.events), "the note in the log"
    )


async def test_r32_a_cursor_beyond_the_feed_is_refused_until_the_feed_is_there(scene: Scene) -> None:
    beyond = f"/limits/changes?after={Cursor(LIMITS, 1, 2).encode()}&timeout=0"
    await scene.north.write("POST", "/limits/foreseen", foreseen())
    before = await scene.alpha.call("GET", beyond)
    given = (await scene.alpha.get("/limits/changes?after=0"))["next"]
    await scene.alpha.get(f"/limits/changes?after={given}&timeout=0")
    still = await scene.alpha.call("GET", beyond)
    await scene.north.write("POST", "/limits/foreseen", foreseen(day=17))
    await scene.world.system.quiet()
    then = await scene.alpha.call("GET", beyond)

    assert [answer.status for answer in (before, still, then)] == [400, 400, 200]
    assert "lost store" in before.body["detail"]
    assert then.body["items"] == []


async def test_r33_the_first_call_of_assets_waits_for_changes_from_now(scene: Scene) -> None:
    waiting = asyncio.create_task(scene.north.get("/assets/changes"))
    await scene.world.system.until(lambda: scene.north.gateway.door.polling == 1, "the poll")

    await scene.alpha.write("PUT", f"/assets/{A3}", {"connectionPoint": P1, "maxProduction": 7})
    await scene.world.system.beat()

    assert [item["id"] for item in (await waiting)["items"]] == [A3]


async def test_r33_the_first_call_of_schedules_gives_all_that_stand(scene: Scene) -> None:
    await scene.alpha.write("POST", "/schedules", schedule(A1, A2))
    await scene.world.system.beat()

    first = await scene.north.get("/schedules/changes")

    assert {item["asset"] for item in first["items"]} == {A1, A2}
    assert first["items"][0]["periods"][0]["points"][0]["quantity"] == -100


async def test_a_poll_that_nothing_comes_to_answers_an_empty_200_after_its_timeout(scene: Scene) -> None:
    waiting = asyncio.create_task(scene.alpha.get("/limits/changes?timeout=10"))
    await scene.world.system.until(lambda: len(scene.alpha.gateway.bells) == 1, "the poll")

    await scene.world.system.clock.advance(11)

    assert (await waiting)["items"] == []


async def test_a_client_that_goes_away_frees_its_wait_at_once(scene: Scene) -> None:
    waiting = asyncio.create_task(scene.alpha.get("/limits/changes?timeout=300"))
    await scene.world.system.until(lambda: len(scene.alpha.gateway.bells) == 1, "the poll")

    waiting.cancel()

    await scene.world.system.until(lambda: not scene.alpha.gateway.bells, "the wait to be freed")
    assert scene.alpha.gateway.door.polling == 0


@pytest.mark.slow
async def test_a_thousand_wait_and_one_limit_wakes_them_all(scene: Scene) -> None:
    polls = [asyncio.create_task(scene.alpha.get("/limits/changes?after=0&timeout=300")) for _ in range(1000)]
    await scene.world.system.until(lambda: len(scene.alpha.gateway.bells) == 1000, "a thousand polls")

    await scene.north.write("POST", "/limits/foreseen", foreseen())
    answers = await asyncio.gather(*polls)

    assert {len(answer["items"]) for answer in answers} == {1}
    assert scene.alpha.gateway.door.polling == 0


async def test_r29_the_operator_sees_that_a_limit_was_collected_once_the_client_has_it(scene: Scene) -> None:
    await scene.north.write("POST", "/limits/foreseen", foreseen())
    await scene.world.system.quiet()

    def acknowledgements() -> int:
        sent = scene.alpha.gateway.store.outbox
        return sum(m.message.business_type == "TPS-ACK" and bool(m.message.source) for m in sent._queue.values())  # type: ignore[union-attr] # the twin's

    before = acknowledgements()
    await scene.alpha.get("/limits/changes")
    await scene.world.system.until(lambda: acknowledgements() == 1, "the acknowledgement")
    await scene.alpha.get("/limits/active")
    await scene.world.system.quiet()

    assert (before, acknowledgements()) == (0, 1)


async def test_r35_without_wait_a_write_is_202_and_can_be_followed(scene: Scene) -> None:
    answer = await scene.alpha.call("PUT", "/assets", {"assets": [asset(A3, P1, produces=5)]})
    await scene.world.system.quiet()

    story = await scene.alpha.get(answer.headers["Location"])

    assert (answer.status, answer.body["verdict"]) == (202, "pending")
    assert (story["verdict"], story["state"]) == ("accepted", "RECEIVED")
    assert story["trace"][0]["state"] == "ACCEPTED"


async def test_r35_a_new_document_is_201_and_a_change_200(scene: Scene) -> None:
    new = await scene.alpha.call("POST", "/schedules", {**schedule(A1), "mrid": "S1"}, wait=60)
    changed = await scene.alpha.call("PUT", "/schedules/S1", schedule(A1, watts=(-1, -2)), wait=60)

    assert (new.status, new.body["accepted"]) == (201, [A1])
    assert (changed.status, changed.body.get("revision")) == (200, 2), changed


async def test_r35_a_partly_refused_document_is_200_with_both_lists(scene: Scene) -> None:
    answer = await scene.alpha.call("POST", "/schedules", schedule(A1, A3), wait=60)

    assert answer.status in {200, 201}
    assert (answer.body["verdict"], answer.body["accepted"]) == ("partlyAccepted", [A1])
    assert [(item["id"], item["reasons"][0]["code"]) for item in answer.body["rejected"]] == [(A3, "A64")]


async def test_r35_a_refused_document_is_a_problem_with_reason_and_document(scene: Scene) -> None:
    answer = await scene.north.call("POST", "/limits/foreseen", foreseen(assets=(A3,)), wait=60)

    assert (answer.status, answer.body["reason"]) == (422, "A64")
    assert len(answer.body["document"]) == 32


async def test_r35_the_wait_ends_with_202_when_the_hub_says_nothing(scene: Scene) -> None:
    scene.world.system.network.faults = Faults(drop=1.0)
    waiting = asyncio.create_task(scene.alpha.call("PUT", "/assets", {"assets": [asset(A3, P1, produces=5)]}, wait=20))
    await scene.world.system.until(lambda: len(scene.alpha.gateway.outbound._bells) == 1, "the wait")

    await scene.world.system.clock.advance(21)

    assert (await waiting).status == 202


async def test_r35_a_document_that_fails_is_502_naming_hop_and_reason(scene: Scene) -> None:
    me = scene.alpha.gateway.who.me.id
    scene.world.system.network.provision({me: Party.DSO}, hub=me)
    waiting = asyncio.create_task(scene.alpha.call("PUT", "/assets", {"assets": [asset(A3, P1, produces=5)]}, wait=60))
    await scene.world.system.until(lambda: len(scene.alpha.gateway.outbound._bells) == 1, "the wait")
    await scene.world.system.clock.advance(15)
    answer = await waiting

    assert answer.status == 502
    assert "E-" in answer.body["detail"]
    assert (await scene.alpha.get(f"/assets/{A3}"))["state"] == "refused"


async def test_r35_put_or_delete_of_an_unknown_mrid_is_404(scene: Scene) -> None:
    for client, path, body in (
        (scene.alpha, "/schedules/unknown", schedule(A1)),
        (scene.north, "/limits/foreseen/unknown", foreseen()),
    ):
        assert (await client.call("PUT", path, body)).status == 404
        assert (await client.call("DELETE", path)).status == 404


async def test_an_idempotency_key_makes_a_repeated_write_one_write(scene: Scene) -> None:
    headers = {"Idempotency-Key": "key-1"}
    both = await asyncio.gather(
        *(scene.north.call("POST", "/limits/foreseen", foreseen(), wait=60, headers=headers) for _ in range(2))
    )
    other = await scene.north.call("POST", "/limits/foreseen", foreseen(1, 2), headers=headers)

    assert {answer.body["mrid"] for answer in both} == {both[0].body["mrid"]}
    assert len((await scene.north.get("/limits"))["items"]) == 1
    assert other.status == 422


@pytest.mark.parametrize("path", [f"/assets/{A1}", f"/assets?id={A1}"])
async def test_a_repeated_removal_gets_the_first_answer_though_nothing_is_left(scene: Scene, path: str) -> None:
    headers = {"Idempotency-Key": "key-1"}

    first = await scene.alpha.call("DELETE", path, wait=60, headers=headers)
    again = await scene.alpha.call("DELETE", path, wait=60, headers=headers)
    new = await scene.alpha.call("DELETE", path, wait=60, headers={"Idempotency-Key": "key-2"})

    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert new.status == 404


async def test_r34_changes_of_which_none_can_be_sent_are_refused_item_by_item(scene: Scene) -> None:
    unknown = await scene.alpha.call(
        "PATCH", "/assets", {"assets": [{"id": A3, "name": "x"}, {"id": "A9", "name": "y"}]}
    )
    powerless = await scene.alpha.call("PATCH", f"/assets/{A1}", {"maxConsumption": 0})

    assert (unknown.status, unknown.body["reason"], unknown.body["document"]) == (422, "A64", None)
    assert unknown.body["detail"] == "This id is not registered by you. Register it first, with PUT."
    assert [error["at"] for error in unknown.body["errors"]] == [A3, "A9"]
    assert (powerless.status, powerless.body["reason"]) == (422, "A42")
    assert (await scene.alpha.get(f"/assets/{A1}"))["maxConsumption"] == 10_000


async def test_while_too_many_messages_wait_writes_are_503_until_the_hub_is_back(scene: Scene) -> None:
    system, alpha = scene.world.system, scene.alpha
    system.network.faults = Faults(drop=1.0)
    alpha.gateway.backlog.most = 2
    await system.clock.advance(1)
    for number in (1, 2):
        key = {"Idempotency-Key": f"key-{number}"}
        assert (await alpha.call("POST", "/schedules", schedule(A1), headers=key)).status == 202

    refused = await alpha.call("POST", "/schedules", schedule(A2), headers={"Idempotency-Key": "key-3"})
    known = await alpha.call("POST", "/schedules", schedule(A1), headers={"Idempotency-Key": "key-1"})

    assert (refused.status, refused.headers["Retry-After"], known.status) == (503, "30", 202)
    assert "2 messages wait to be delivered, 2 may" in refused.body["detail"]
    assert (await alpha.call("GET", "/schedules")).status == 200

    system.network.faults = Faults()
    await system.clock.advance(10)
    await system.quiet()
    assert (await alpha.call("POST", "/schedules", schedule(A2), headers={"Idempotency-Key": "key-3"})).status == 202


async def test_a_schedule_that_exists_already_is_409(scene: Scene) -> None:
    await scene.alpha.write("POST", "/schedules", {**schedule(A1), "mrid": "S1"})

    again = await scene.alpha.call("POST", "/schedules", {**schedule(A1), "mrid": "S1"})

    assert (again.status, again.body["reason"]) == (409, "A51")
    assert again.body["detail"].startswith("A document with this mRID was sent before.")


async def test_what_was_withdrawn_is_409_and_says_so(scene: Scene) -> None:
    await scene.north.write("POST", "/limits/foreseen", foreseen(mrid="L1"))
    await scene.north.write("DELETE", "/limits/foreseen/L1")

    for method, body in (("PUT", foreseen()), ("DELETE", None)):
        answer = await scene.north.call(method, "/limits/foreseen/L1", body)
        assert (answer.status, answer.body["reason"]) == (409, "A51")
        assert "withdrawn" in answer.body["detail"]


async def test_r24_a_schedule_is_replaced_changed_and_withdrawn(scene: Scene) -> None:
    await scene.alpha.write("POST", "/schedules", {**schedule(A1, A2), "mrid": "S1"})
    await scene.alpha.write("PATCH", "/schedules/S1", schedule(A2, watts=(3, 4)))
    patched = await scene.alpha.get("/schedules/S1")
    await scene.alpha.write("PUT", "/schedules/S1", schedule(A2, watts=(5, 6)))
    replaced = await scene.alpha.get("/schedules/S1")
    await scene.alpha.write("DELETE", "/schedules/S1")
    gone = await scene.alpha.get("/schedules/S1")

    def states(answer: Any) -> dict[str, str]:
        return {series["asset"]: series["state"] for series in answer["series"]}

    assert [series["periods"][0]["points"][0]["quantity"] for series in patched["series"]] == [-100, 3]
    assert states(replaced) == {A1: "withdrawn", A2: "accepted"}
    assert states(gone) == {A1: "withdrawn", A2: "withdrawn"}


async def test_r22_limits_are_found_by_when_they_were_issued_and_by_when_they_hold(scene: Scene) -> None:
    await scene.north.write("POST", "/limits/foreseen", foreseen(day=16))
    await scene.world.system.quiet()
    await scene.world.system.clock.advance(60)
    await scene.north.write("POST", "/limits/foreseen", foreseen(day=17))
    await scene.world.system.quiet()

    async def days(query: str) -> list[str]:
        return sorted(item["start"][8:10] for item in (await scene.alpha.get(f"/limits?{query}"))["items"])

    assert await days("") == ["16", "17"]
    assert await days("to=2026-01-15T12:01:00Z") == ["16"]
    assert await days("from=2026-01-15T12:01:00Z&to=2026-01-15T12:02:00Z") == ["17"]
    assert await days("validFrom=2026-01-17T00:00:00Z") == ["17"]
    assert await days("validFrom=2026-01-16T14:00:00Z&validTo=2026-01-17T12:00:00Z") == []


async def test_r22_active_limits_leave_out_cancelled_and_ended_ones(scene: Scene) -> None:
    for mrid, day in (("past", 15), ("future", 18), ("gone", 18)):
        await scene.north.write("POST", "/limits/foreseen", foreseen(mrid=mrid, day=day))
    await scene.north.write("DELETE", "/limits/foreseen/gone")
    await scene.world.system.quiet()
    await scene.world.system.clock.advance(121)
    await scene.world.system.quiet()

    active = (await scene.alpha.get("/limits/active"))["items"]

    assert [(item["start"][8:10], item["status"]) for item in active] == [("18", "active")]


async def test_lists_are_paged_and_a_page_goes_on_where_the_last_one_stopped(scene: Scene) -> None:
    points = [{"id": f"P{number:02d}"} for number in range(5)]
    await scene.north.write("PUT", "/connection-points", {"connectionPoints": points})

    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await scene.north.get(f"/connection-points?limit=2{'&after=' + after if after else ''}")
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        after = page["next"]

    assert sorted(seen) == sorted({P1, P2, *(point["id"] for point in points)})
    assert len(seen) == len(set(seen))


async def test_r34_assets_on_the_grid_can_be_asked_for_by_connection_point(scene: Scene) -> None:
    async def at(*points: str) -> set[str]:
        query = "&".join(f"connectionPoint={point}" for point in points)
        return {item["id"] for item in (await scene.north.get(f"/assets?{query}"))["items"]}

    assert (await at(P1), await at(P2), await at(P1, P2)) == ({A1}, {A2}, {A1, A2})


async def test_r13_what_was_lost_comes_back_on_request(scene: Scene) -> None:
    await scene.alpha.write("POST", "/schedules", schedule(A1))
    await scene.world.system.beat()

    assets = await scene.north.write("POST", "/assets/request")
    schedules = await scene.north.write("POST", f"/schedules/request?asset={A1}")
    none = await scene.north.write("POST", f"/schedules/request?asset={A2}")

    assert {answer["verdict"] for answer in (assets, schedules, none)} == {"accepted"}
    assert {item["id"] for item in (await scene.north.get("/assets"))["items"]} == {A1, A2}


async def test_r15_the_dso_is_reminded_before_its_order_ends(scene: Scene) -> None:
    order = {"expectedEnd": "2026-01-15T12:16:00Z", "orders": [{"asset": A1, "action": "STOP"}], "mrid": "U1"}
    await scene.north.write("POST", "/limits/unforeseen", order)
    early = (await scene.north.get("/limits/unforeseen/U1"))["reminder"]
    await scene.world.system.clock.advance(70)
    await scene.world.system.quiet()

    limit = await scene.north.get("/limits/unforeseen/U1")

    assert not early
    assert (limit["reminder"], limit["state"], limit["orders"]) == (True, "accepted", order["orders"])
    assert (await scene.north.call("GET", "/limits/foreseen/U1")).status == 404


async def test_f7_an_order_reaches_the_aggregator_with_its_action_and_expected_end(scene: Scene) -> None:
    order = {"expectedEnd": "2026-01-15T13:00:00Z", "orders": [{"asset": A1, "action": "HOLD"}]}
    await scene.north.write("POST", "/limits/unforeseen", order)

    (told,) = (await scene.alpha.get("/limits/changes"))["items"]

    assert (told["kind"], told["orders"], told["end"]) == ("unforeseen", order["orders"], order["expectedEnd"])


async def test_nf3_an_aggregator_finds_nothing_of_another(scene: Scene) -> None:
    bravo = await scene.world.agr(BRAVO)
    await scene.north.write("POST", "/limits/foreseen", foreseen(mrid="L1"))
    (mine,) = (await scene.alpha.get("/limits/changes"))["items"]

    foreign = await bravo.call("GET", f"/limits/{mine['mrid']}")
    unknown = await bravo.call("GET", "/limits/ffffffffffffffffffffffffffffffff")

    assert (foreign.status, unknown.status) == (404, 404)
    assert foreign.body["detail"] == unknown.body["detail"]
    assert (await bravo.get("/limits/changes?timeout=0"))["items"] == []


async def test_a_gateway_that_starts_again_has_lost_nothing_and_goes_on_where_it_was(scene: Scene) -> None:
    await scene.alpha.write("POST", "/schedules", {**schedule(A1), "mrid": "S1"})
    await scene.north.write("POST", "/limits/foreseen", foreseen())
    first = await scene.alpha.get("/limits/changes")
    await scene.world.system.quiet()

    again = await scene.world.restart(scene.alpha)
    changed = await again.call("PUT", "/schedules/S1", schedule(A1, watts=(-1, -2)), wait=60)
    since = await again.get("/limits/changes?timeout=0")

    assert (changed.status, changed.body.get("revision")) == (200, 2), changed
    assert (len(first["items"]), since["items"]) == (1, [])
    assert {item["id"]: item["state"] for item in (await again.get("/assets"))["items"]} == dict.fromkeys(
        (A1, A2), "accepted"
    )


async def test_r13_an_emptied_gateway_gets_back_what_the_hub_holds_for_it(scene: Scene) -> None:
    await scene.alpha.write("POST", "/schedules", schedule(A1))
    await scene.north.write("POST", "/limits/foreseen", foreseen())
    await scene.world.system.beat()

    alpha, north = await scene.world.emptied(scene.alpha), await scene.world.emptied(scene.north)
    (limit,) = (await alpha.get("/limits/changes"))["items"]
    (plan,) = (await north.get("/schedules/changes"))["items"]
    await scene.world.system.quiet()

    assert (limit["status"], plan["asset"]) == ("active", A1)
    assert {item["id"] for item in (await north.get("/assets"))["items"]} == {A1, A2}


async def test_a_port_in_use_is_told_as_such(scene: Scene) -> None:
    taken = int(scene.alpha.gateway.url.rpartition(":")[2])
    settings = scene.north.gateway.settings
    settings = msgspec.structs.replace(settings, http=msgspec.structs.replace(settings.http, port=taken))
    code = scene.north.gateway.who.me.id
    gateway = build_dso(
        settings,
        store=MemoryStore(component="x"),
        transport=scene.world.system.network.attach(code),
        seals=seals_of(code),
        clock=scene.world.system.clock,
    )

    with pytest.raises(OSError, match="in use"):
        await gateway.run()


async def test_a_stopping_gateway_answers_its_polls(scene: Scene) -> None:
    waiting = asyncio.create_task(scene.alpha.get("/limits/changes?timeout=300"))
    await scene.world.system.until(lambda: len(scene.alpha.gateway.bells) == 1, "the poll")

    scene.alpha.gateway.stop()

    assert (await waiting)["items"] == []


async def test_health_says_ready_and_metrics_name_nobody(scene: Scene) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(scene.alpha.gateway.url + "/health/ready") as answer:
            assert answer.status == 200
        async with session.get(scene.alpha.gateway.url + "/metrics") as answer:
            text = await answer.text()

    assert "tps_log_position" in text
    assert ALPHA not in text
