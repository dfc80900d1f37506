"""F1: participants SHALL exchange IEC 62325 documents over MADES, through the hub only, with states they can see.

Rules R2, R26-R29; the documents are XML of the versions the platform emits. Stories that hold of every ground are
played on each: twins in memory, the real AMQP client on the embedded broker, and real databases as well.
"""

from typing import get_args

import pytest
from msgspec.structs import replace

from documents import identifiers, registry
from documents.model import (
    AcknowledgementMarketDocument,
    GlMarketDocument,
    RefMarketDocument,
    UnavailabilityMarketDocument,
)
from gateways.demo.cast import ALPHA, BRAVO, HEAT_PUMP, NORTH, PLAYERS, SOUTH
from hub.mades.message import BusinessType, InternalType, Message
from hub.ports import Publication, Refused, Unroutable
from tests.acceptance.platform import Client, Ground, Json, Platform, registration, shares
from tests.acceptance.test_f6_foreseen_limits import limit
from tests.acceptance.test_f8_schedules import schedule
from tests.fixtures_system import Grounds
from tests.keyring import sealer_of

GROUNDS = [pytest.param(g, marks=[pytest.mark.slow] if g != "memory" else []) for g in get_args(Ground)]

EMITTED = {
    "Ref_MarketDocument": "1:2",
    "GL_MarketDocument": "3:1",
    "Unavailability_MarketDocument": "4:0",
    "StatusRequest_MarketDocument": "4:0",
    "Acknowledgement_MarketDocument": "8:1",
}


@pytest.mark.parametrize("ground", GROUNDS)
async def test_documents_travel_as_xml_from_one_end_to_the_other(grounds: Grounds, ground: Ground) -> None:
    """F1: registration, schedule and limit on every ground; what travels is XML that the registry reads."""
    async with grounds(ground) as platform:
        await platform.register_all()
        await platform.alpha.write("POST", "/schedules", schedule(platform, (HEAT_PUMP.id, [-400_000])))
        await platform.sees_plans(platform.north, {HEAT_PUMP.id: [-400_000]})
        await platform.north.write("POST", "/limits/foreseen", limit(platform, 600_000))

        (told,) = await platform.alpha.items("/limits/changes", timeout=60)

        assert shares(told) == {HEAT_PUMP.id: [200_000]}
        for name in ("hub", "alpha", "north"):
            for arrival in platform.arrived[name]:
                version = registry.identify(arrival.message.content)
                assert arrival.message.content.startswith(b"<?xml")
                assert version.number == EMITTED[version.root]
        kinds = {type(document) for document in platform.documents("hub")}
        assert kinds >= {RefMarketDocument, GlMarketDocument, UnavailabilityMarketDocument}


@pytest.mark.parametrize("ground", GROUNDS)
async def test_a_message_shows_its_delivery_states_and_its_trace(grounds: Grounds, ground: Ground) -> None:
    """F1, R29: ACCEPTED, DELIVERED, RECEIVED, each step with its component and its time."""
    async with grounds(ground) as platform:
        sent = await platform.alpha.write("PUT", "/assets", {"assets": [registration(HEAT_PUMP)]})
        path = f"/messages/{sent['mrid']}"

        message = await platform.until(platform.alpha, path, lambda m: m["state"] == "RECEIVED", "its message received")

        assert message["verdict"] == "accepted"
        assert message["reason"] is None
        states = [step["state"] for step in message["trace"]]
        milestones = [state for state in states if state in {"ACCEPTED", "DELIVERED", "RECEIVED"}]
        assert milestones == ["ACCEPTED", "DELIVERED", "RECEIVED"]
        components = {step["component"] for step in message["trace"]}
        for component in components:  # each by its own clock
            times = [step["at"] for step in message["trace"] if step["component"] == component]
            assert times == sorted(times)
        assert ALPHA.id in components
        assert components <= {ALPHA.id, platform.market.id}


async def test_a_message_to_a_hub_that_is_away_stays_accepted(platform: Platform, alpha: Client) -> None:
    """F1, R29: no party needs another to be up; the state says how far it came."""
    await platform.kill_hub()
    sent = (await alpha.call("PUT", "/assets", {"assets": [registration(HEAT_PUMP)]})).body
    await platform.quiet()

    message = await alpha.get(f"/messages/{sent['mrid']}")

    assert (message["state"], message["verdict"]) == ("ACCEPTED", "pending")


async def test_a_message_that_expires_fails_with_its_hop_and_reason(grid: Platform, alpha: Client) -> None:
    """F1, R27, R35: a request lives 15 minutes; then FAILED, with where it ended and why."""
    await grid.kill_hub()
    sent = (await alpha.call("POST", "/limits/request")).body

    await grid.pass_time(20 * 60)

    path = f"/messages/{sent['mrid']}"
    message = await grid.until(alpha, path, lambda m: m["state"] == "FAILED", "its message failed")
    assert message["reason"]
    assert message["trace"][-1]["state"] == "FAILED"
    assert message["verdict"] == "refused"


async def test_a_client_that_waits_is_told_502_when_its_message_fails(grid: Platform, alpha: Client) -> None:
    """R35: MADES FAILED: 502 naming hop and reason."""
    await grid.kill_hub()
    first = await alpha.call("POST", "/limits/request", headers={"Idempotency-Key": "ask"})
    await grid.pass_time(20 * 60)
    await grid.until(alpha, f"/messages/{first.body['mrid']}", lambda m: m["state"] == "FAILED", "the failure")

    answer = await alpha.call("POST", "/limits/request", headers={"Idempotency-Key": "ask"}, wait=60)

    assert answer.status == 502
    assert ALPHA.id in answer.body["detail"]
    assert answer.body["document"] == first.body["mrid"]


@pytest.mark.parametrize("ground", GROUNDS)
async def test_a_gateway_can_address_nobody_but_the_hub(grounds: Grounds, ground: Ground) -> None:
    """F1: AGR and DSO meet through the hub only; the broker itself refuses everything else, as anybody else as well."""
    async with grounds(ground) as platform:
        alpha, bravo, north = (identifiers.party(player.id) for player in (ALPHA, BRAVO, NORTH))
        road = platform.road("alpha")
        for receiver, sender in ((north, alpha), (bravo, alpha), (platform.hub_id, north), (alpha, platform.hub_id)):
            with pytest.raises((Refused, Unroutable)):
                await road.publish(_publication(platform, sender=sender, receiver=receiver))

        assert platform.arrived["north"] == [a for a in platform.arrived["north"] if a.message.sender != alpha]
        assert {a.message.sender for name in platform.clients for a in platform.arrived.get(name, [])} <= {
            platform.hub_id
        }


async def test_every_participant_hears_from_the_hub_alone(grid: Platform) -> None:
    """F1: on the envelope and in the document the sender is the hub, the receiver is the participant."""
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    await grid.alpha.items("/limits/changes", timeout=30)

    for player in PLAYERS:
        for arrival in grid.arrived[player.name]:
            assert arrival.message.sender == grid.hub_id
            assert arrival.document.sender.id == grid.hub_id
            assert arrival.document.receiver.id == identifiers.party(player.id)


async def test_a_document_in_anothers_name_is_refused(grid: Platform) -> None:
    """R2: the sender in the document and the sender on the envelope are the same."""
    theirs = next(d for d in grid.documents("hub", business_type="TPS-POINTS") if d.sender.id.endswith(NORTH.id))
    assert isinstance(theirs, RefMarketDocument)
    forged = replace(theirs, mrid="f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0")
    south = identifiers.party(SOUTH.id)
    before = len(grid.arrived["south"])

    await grid.road("south").publish(
        _publication(
            grid,
            sender=south,
            receiver=grid.hub_id,
            business_type=BusinessType.POINTS,
            content=registry.render(forged),
            document=forged.mrid,
        )
    )
    await grid.quiet()

    (answer,) = [a.document for a in grid.arrived["south"][before:]]
    assert isinstance(answer, AcknowledgementMarketDocument)
    assert "A02" in {reason.code for reason in answer.reasons}
    assert "A78" in {reason.code for reason in answer.reasons}
    assert len(await grid.north.items("/assets")) == 4


async def test_an_unreadable_document_is_answered_with_the_message_it_came_in(grid: Platform) -> None:
    """R26: A02 and A94, the transport's message id as title."""
    before = len(grid.arrived["alpha"])
    publication = _publication(
        grid,
        sender=identifiers.party(ALPHA.id),
        receiver=grid.hub_id,
        business_type=BusinessType.ASSETS,
        content=b"<not-a-document/>",
    )
    await grid.road("alpha").publish(publication)
    await grid.quiet()

    (answer,) = [a.document for a in grid.arrived["alpha"][before:]]
    assert isinstance(answer, AcknowledgementMarketDocument)
    assert {reason.code for reason in answer.reasons} >= {"A02", "A94"}
    assert answer.received.title == publication.message_id


async def test_every_document_gets_exactly_one_answer(grid: Platform) -> None:
    """R26: the data asked for, or one acknowledgement; acknowledgements are never acknowledged."""
    await grid.alpha.write("POST", "/schedules", schedule(grid, (HEAT_PUMP.id, [-1])))
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    for client in (grid.alpha, grid.bravo):
        await client.items("/limits/changes", timeout=30)
    await grid.beat()
    await grid.beat()

    for player in PLAYERS:
        sent = [d for d in grid.documents("hub") if d.sender.id == identifiers.party(player.id)]
        asked = [d.mrid for d in sent if not isinstance(d, AcknowledgementMarketDocument)]
        answers = [d for d in grid.documents(player.name) if isinstance(d, AcknowledgementMarketDocument)]
        answered = [answer.received.mrid for answer in answers]
        responses = grid.documents(player.name, business_type="TPS-RESPONSE")
        assert len(answered) == len(set(answered))
        assert set(answered) <= set(asked)
        assert len(asked) == len(answered) + len(responses)
        told = [d.mrid for d in grid.documents(player.name) if not isinstance(d, AcknowledgementMarketDocument)]
        confirmed = [d.received.mrid for d in sent if isinstance(d, AcknowledgementMarketDocument)]
        pushed = [mrid for mrid in told if mrid not in {d.mrid for d in responses}]
        assert sorted(mrid for mrid in confirmed if mrid) == sorted(pushed)


async def test_the_operator_sees_when_a_limit_was_collected(grid: Platform) -> None:
    """R29: RECEIVED is stored by the party's gateway, collected is answered to its client; the operator sees both."""
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    await grid.quiet()
    assert await _collected(grid) == {ALPHA.id: False, BRAVO.id: False}

    await grid.alpha.items("/limits/changes", timeout=30)

    await grid.eventually(
        lambda: _collected(grid), lambda seen: seen == {ALPHA.id: True, BRAVO.id: False}, "the collection by alpha"
    )


async def test_the_same_document_again_gets_the_same_verdict_and_no_effect(grid: Platform) -> None:
    """R19, R26: a repeat of (sender, mRID, revision) gets the first verdict again."""
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    (first,) = await grid.alpha.items("/limits/changes", timeout=30)
    arrival = next(a for a in grid.arrived["hub"] if a.message.business_type == "TPS-FORESEEN")
    before = len(grid.arrived["north"])

    await grid.road("north").publish(
        _publication(
            grid,
            sender=identifiers.party(NORTH.id),
            receiver=grid.hub_id,
            business_type=BusinessType.FORESEEN,
            content=arrival.message.content,
            document=arrival.document.mrid,
        )
    )
    await grid.quiet()

    (answer,) = [a.document for a in grid.arrived["north"][before:]]
    assert isinstance(answer, AcknowledgementMarketDocument)
    assert "A01" in {reason.code for reason in answer.reasons}
    assert await grid.alpha.items("/limits/changes", timeout=0) == []
    assert (await grid.alpha.get(f"/limits/{first['mrid']}"))["revision"] == 1


async def test_a_document_under_the_wrong_business_type_is_refused(grid: Platform) -> None:
    """R27: a type that does not match its document is refused."""
    arrival = next(a for a in grid.arrived["hub"] if a.message.business_type == "TPS-ASSETS")
    assert isinstance(arrival.document, RefMarketDocument)
    player = next(p for p in PLAYERS if identifiers.party(p.id) == arrival.document.sender.id)
    document = replace(arrival.document, mrid="0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f")
    before = len(grid.arrived[player.name])

    await grid.road(player.name).publish(
        _publication(
            grid,
            sender=identifiers.party(player.id),
            receiver=grid.hub_id,
            business_type=BusinessType.SCHEDULES,
            content=registry.render(document),
            document=document.mrid,
        )
    )
    await grid.quiet()

    (answer,) = [a.document for a in grid.arrived[player.name][before:]]
    assert isinstance(answer, AcknowledgementMarketDocument)
    assert "A02" in {reason.code for reason in answer.reasons}


def _publication(
    platform: Platform,
    *,
    sender: str,
    receiver: str,
    business_type: BusinessType = BusinessType.ACK,
    content: bytes = b"<x/>",
    document: str = "",
) -> Publication:
    """A message as an endpoint would make it, by somebody who does not keep to the endpoint's manners."""
    now, number = platform.clock.now(), len(platform.arrived.get("hub", []))
    message = Message(
        message_id=f"handmade-{number}",
        internal_type=InternalType.STANDARD,
        sender=sender,
        receiver=receiver,
        business_type=business_type,
        ba_message_id=document,
        generated=now,
        expires=platform.at(24),
        content=content,
    )
    return Publication(
        message_id=message.message_id,
        internal_type=message.internal_type,
        sender=sender,
        receiver=receiver,
        business_type=business_type,
        urgent=False,
        ttl_s=(message.expires - now).total_seconds(),
        body=sealer_of(sender).seal(message),
    )


async def _collected(platform: Platform) -> dict[str, bool]:
    """Which aggregators' clients have collected the newest limit."""
    rows: list[Json] = await platform.board("operator_limits")
    return {copy["audience"].partition(":")[2]: copy["collected"] for row in rows for copy in row["copies"]}
