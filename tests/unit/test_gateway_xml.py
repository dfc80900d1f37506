"""Schedules and limits as IEC 62325 documents over REST: the same content as the JSON (F1)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio
from msgspec.structs import replace

from documents import registry
from documents.codes import action_reason
from documents.model import (
    AssetReference,
    Document,
    GlMarketDocument,
    GlSeries,
    Party,
    UnavailabilityMarketDocument,
    UnavailabilitySeries,
)
from documents.values import Identifier, Interval, Reason
from tests.gateway_bench import ALPHA as ALPHA_PARTY
from tests.gateway_bench import HUB, NOON, flat
from tests.gateway_bench import NORTH as NORTH_PARTY
from tests.gateway_world import A1, A2, ALPHA, NORTH, P1, Client, Reply, World, asset

XML = {"Content-Type": "application/xml"}
GSRN1, GSRN2 = Identifier(f"A10:{A1}"), Identifier(f"A10:{A2}")
TOMORROW = NOON + timedelta(days=1)
SPAN = Interval(TOMORROW, TOMORROW + timedelta(hours=2))


class Scene:
    """A DSO and an aggregator with two assets."""

    def __init__(self, world: World, north: Client, alpha: Client) -> None:
        self.world, self.north, self.alpha = world, north, alpha


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    async with World.running() as world:
        north, alpha = await world.dso(NORTH), await world.agr(ALPHA)
        await north.write("PUT", "/connection-points", {"connectionPoints": [{"id": P1}]})
        await alpha.write("PUT", "/assets", {"assets": [asset(a, P1, consumes=1000) for a in (A1, A2)]})
        yield Scene(world, north, alpha)


def schedule(*resources: Identifier, mrid: str = "S1", quantity: int = -500) -> GlMarketDocument:
    domain = Identifier("A01:10YDK-2--------M")
    series = tuple(
        GlSeries(
            mrid=str(n), resource=resource, in_domain=domain, out_domain=domain, periods=(flat(TOMORROW, 2, quantity),)
        )
        for n, resource in enumerate(resources, start=1)
    )
    return GlMarketDocument(
        mrid=mrid, revision=1, sender=ALPHA_PARTY, receiver=HUB, created=NOON, interval=SPAN, series=series
    )


def limit(*, action: str | None = None, mrid: str = "L1") -> UnavailabilityMarketDocument:
    content = UnavailabilitySeries(
        mrid="1",
        business_type="A54" if action else "A53",
        interval=SPAN,
        assets=(AssetReference(GSRN1), AssetReference(GSRN2)),
        periods=() if action else (flat(TOMORROW, 2, 1000),),
        reasons=(action_reason("STOP"),) if action else (),
    )
    return UnavailabilityMarketDocument(
        mrid=mrid,
        revision=1,
        type="A76",
        created=NOON,
        sender=NORTH_PARTY,
        receiver=HUB,
        interval=SPAN,
        series=(content,),
        reasons=(Reason("B19"),),
    )


async def send(client: Client, method: str, path: str, document: Document, *, wait: int = 60) -> Reply:
    return await client.call(method, path, data=registry.render(document), headers=XML, wait=wait)


async def fetch(client: Client, path: str) -> Document:
    answer = await client.call("GET", path, headers={"Accept": "application/xml"})
    assert answer.status == 200, answer
    return registry.read(answer.body.encode())


async def test_a_schedule_sent_as_xml_reads_the_same_as_json_and_as_xml(scene: Scene) -> None:
    sent = await send(scene.alpha, "POST", "/schedules", schedule(GSRN1, GSRN2))

    told = await scene.alpha.get("/schedules/S1")
    document = await fetch(scene.alpha, "/schedules/S1")

    assert (sent.status, sent.body["accepted"]) == (201, [A1, A2])
    assert [(s["asset"], s["state"], s["periods"][0]["points"]) for s in told["series"]] == [
        (A1, "accepted", [{"position": 1, "quantity": -500}]),
        (A2, "accepted", [{"position": 1, "quantity": -500}]),
    ]
    assert isinstance(document, GlMarketDocument)
    assert [(s.resource, s.periods[0].points[0].quantity) for s in document.series] == [(GSRN1, -500), (GSRN2, -500)]


async def test_r24_a_put_as_xml_withdraws_what_it_leaves_out(scene: Scene) -> None:
    await send(scene.alpha, "POST", "/schedules", schedule(GSRN1, GSRN2))

    await send(scene.alpha, "PUT", "/schedules/S1", schedule(GSRN2, quantity=-7))
    document = await fetch(scene.alpha, "/schedules/S1")

    assert isinstance(document, GlMarketDocument)
    assert document.revision == 2
    assert [(s.resource, s.cancelled) for s in document.series] == [(GSRN1, True), (GSRN2, False)]


async def test_a_foreseen_limit_sent_as_xml_reaches_the_aggregator_who_may_read_it_as_xml(scene: Scene) -> None:
    sent = await send(scene.north, "POST", "/limits/foreseen", limit())
    (told,) = (await scene.alpha.get("/limits/changes"))["items"]

    mine = await fetch(scene.north, "/limits/foreseen/L1")
    share = await fetch(scene.alpha, f"/limits/{told['mrid']}")

    assert sent.status == 201
    assert isinstance(mine, UnavailabilityMarketDocument)
    assert isinstance(share, UnavailabilityMarketDocument)
    assert len(mine.series[0].assets) == 2
    assert [s.periods[0].points[0].quantity for s in share.series] == [500, 500]
    assert told["direction"] == "consumption"


async def test_an_order_sent_as_xml_leaves_with_one_series_per_asset_and_is_updated_by_put(scene: Scene) -> None:
    await send(scene.north, "POST", "/limits/unforeseen", limit(action="STOP"))
    updated = await send(scene.north, "PUT", "/limits/unforeseen/L1", limit(action="STOP"))

    told = await scene.north.get("/limits/unforeseen/L1")

    assert updated.body["revision"] == 2
    assert told["orders"] == [{"asset": A1, "action": "STOP"}, {"asset": A2, "action": "STOP"}]


async def test_xml_that_cannot_be_used_is_refused_with_its_place_and_what_would_mend_it(scene: Scene) -> None:
    alpha, north = scene.alpha, scene.north
    other = Party(Identifier("A01:45X-AGR-BRAVO--B"), "A27")
    cancelled = schedule(GSRN1)
    cancelled = replace(cancelled, series=(replace(cancelled.series[0], cancelled=True, periods=()),))
    await send(alpha, "POST", "/schedules", schedule(GSRN1, mrid="S2"))

    answers = [
        (await alpha.call("POST", "/schedules", data=b"<a><b></a>", headers=XML), 400, "A94"),
        (await alpha.call("POST", "/schedules", data=b"<hello/>", headers=XML), 400, "A94"),
        (await send(alpha, "POST", "/schedules", limit()), 422, "A59"),
        (await send(alpha, "POST", "/schedules", replace(schedule(GSRN1), sender=other)), 422, "A78"),
        (await send(alpha, "POST", "/schedules", cancelled), 422, "A59"),
        (await send(alpha, "PUT", "/schedules/S2", schedule(GSRN1, mrid="S3")), 422, None),
        (await send(north, "POST", "/limits/unforeseen", limit()), 422, "A62"),
        (await send(north, "POST", "/limits/foreseen", replace(limit(), status="A09")), 422, "A59"),
        (await send(north, "POST", "/limits/foreseen", replace(limit(), series=())), 422, "A69"),
    ]

    assert [(answer.status, answer.body["reason"]) for answer, *_ in answers] == [
        (status, reason) for _, status, reason in answers
    ]


async def test_an_entity_in_a_document_is_refused(scene: Scene) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x "xxxx">]><GL_MarketDocument>&x;</GL_MarketDocument>'

    assert (await scene.alpha.call("POST", "/schedules", data=bomb, headers=XML)).status == 400
