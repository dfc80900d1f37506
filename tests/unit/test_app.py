"""The hub as a whole, on twins in memory: bytes in, commit, bytes out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from msgspec.structs import replace

from documents import identifiers, registry
from documents.model import (
    AcknowledgementMarketDocument,
    AssetReference,
    Attribute,
    GlMarketDocument,
    GlSeries,
    Party,
    RefMarketDocument,
    RefSeries,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
    UnavailabilitySeries,
)
from documents.values import Identifier, Interval, Period, Point, Reason
from hub import app
from hub.app.auditing import Audit, Stand, signed_by
from hub.app.running import FOLLOW_S, LARGE_BYTES
from hub.audit.checkpoints import log_name
from hub.clock import ORIGIN, ManualClock
from hub.commands import AddParticipant, ReassignResource, SuspendParticipant
from hub.desk import Desk
from hub.feed import Bells
from hub.mades.message import BusinessType
from hub.ports import OPERATOR, Scope
from hub.rows import DOCUMENT_TRAIL
from hub.values import Role
from tests.notary_world import keys_in
from tests.system import HUB, MARKET, Member, System

NORTH, SOUTH = "5790000000005", "5790000000012"
ALPHA, BRAVO = "45X-AGR-ALPHA--N", "45X-AGR-BRAVO--B"
TO_HUB = Party(identifiers.party(HUB), "A32")
DOMAIN = Identifier("A01:10YDK-2--------M")
SPAN = Interval(ORIGIN + timedelta(hours=1), ORIGIN + timedelta(hours=5))
POINT = "571313199000000014"


def ref(member: Member, role: str, *series: RefSeries, process: str = "A36", age_s: int = 0) -> RefMarketDocument:
    created = ORIGIN - timedelta(seconds=age_s)
    sender = Party(member.id, role)
    return RefMarketDocument(
        mrid=uuid4().hex, process=process, sender=sender, receiver=TO_HUB, created=created, series=series
    )


def series(member: Member, resource: str, psr_type: str, **fields: object) -> RefSeries:
    return RefSeries(
        resource=identifiers.parse_identifier(resource),
        name="a name that tells its owner",
        psr_type=psr_type,
        owner=member.id,
        start_lifetime=date(2026, 1, 1),
        domains=(DOMAIN,),
        **fields,  # type: ignore[arg-type] # fields of RefSeries
    )


def points(dso: Member, *codes: str) -> RefMarketDocument:
    return ref(dso, "A50", *(series(dso, code, "A11") for code in codes))


def assets(agr: Member, produces: dict[str, int], *, at: str = POINT, process: str = "A36") -> RefMarketDocument:
    point = (identifiers.parse_identifier(at),)
    each = (series(agr, code, "A04", specific=point, max_production=watts) for code, watts in produces.items())
    return ref(agr, "A27", *each, process=process)


def limit(dso: Member, watts: int, *on: str, mrid: str = "", revision: int = 1) -> UnavailabilityMarketDocument:
    shared = UnavailabilitySeries(
        mrid="1",
        business_type="A53",
        interval=SPAN,
        assets=tuple(AssetReference(identifiers.parse_identifier(code)) for code in on),
        periods=(Period(SPAN, "PT15M", (Point(1, watts),)),),
    )
    return UnavailabilityMarketDocument(
        mrid=mrid or uuid4().hex,
        revision=revision,
        type="A80",
        created=ORIGIN,
        sender=Party(dso.id, "A50"),
        receiver=TO_HUB,
        interval=SPAN,
        series=(shared,),
        reasons=(Reason("B19", "works at the harbour"),),
    )


def schedule(agr: Member, watts: int, resource: str) -> GlMarketDocument:
    plan = GlSeries(
        mrid="1",
        in_domain=DOMAIN,
        out_domain=DOMAIN,
        resource=identifiers.parse_identifier(resource),
        periods=(Period(SPAN, "PT60M", (Point(1, watts),)),),
    )
    return GlMarketDocument(
        mrid=uuid4().hex,
        revision=1,
        sender=Party(agr.id, "A27"),
        receiver=TO_HUB,
        created=ORIGIN,
        interval=SPAN,
        series=(plan,),
    )


def request(member: Member, role: str, subject: str) -> StatusRequestMarketDocument:
    return StatusRequestMarketDocument(
        mrid=uuid4().hex,
        sender=Party(member.id, role),
        receiver=TO_HUB,
        created=ORIGIN,
        attributes=(Attribute("DocumentType", subject),),
    )


def verdict(document: object) -> str:
    assert isinstance(document, AcknowledgementMarketDocument)
    return document.reasons[0].code


@asynccontextmanager
async def working(desk: Desk) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(desk.run())
        yield
        desk.stop()


async def played(system: System) -> tuple[Member, Member, Member]:
    """One DSO with a point, two AGRs with an asset each on it; ratings 1 and 3 kW."""
    north = await system.join(NORTH, Role.DSO)
    alpha, bravo = await system.join(ALPHA, Role.AGR), await system.join(BRAVO, Role.AGR)
    assert verdict(await north.ask(points(north, POINT))) == "A01"
    assert verdict(await alpha.ask(assets(alpha, {"asset-a": 1000}))) == "A01"
    assert verdict(await bravo.ask(assets(bravo, {"asset-b": 3000}))) == "A01"
    return north, alpha, bravo


async def test_a_limit_goes_in_as_bytes_and_comes_out_as_each_agrs_own_share() -> None:
    async with System.running() as system:
        north, alpha, bravo = await played(system)
        await system.beat()

        assert verdict(await north.ask(limit(north, 2000, "asset-a", "asset-b"))) == "A01"
        await system.until(lambda: all(m.all(UnavailabilityMarketDocument) for m in (alpha, bravo)), "the shares")

        (assets_seen,) = north.all(RefMarketDocument)
        assert [one.name for one in assets_seen.series] == ["asset-a", "asset-b"]
        for member, watts in ((alpha, 500), (bravo, 1500)):
            (copy,) = member.all(UnavailabilityMarketDocument)
            assert [one.periods[0].points[0].quantity for one in copy.series] == [watts]
            assert copy.reasons == (Reason("B19"),)


async def test_nf3_nothing_that_reaches_a_dso_or_another_agr_names_an_operator() -> None:
    async with System.running() as system:
        north, alpha, bravo = await played(system)
        await alpha.ask(schedule(alpha, 400, "asset-a"))
        await bravo.ask(schedule(bravo, 500, "asset-b"))
        await north.ask(limit(north, 2000, "asset-a", "asset-b"))
        await system.beat()
        await north.ask(request(north, "A50", "A95"))
        await system.quiet()

        seen = {member: b"".join(member.raw) for member in (north, alpha, bravo)}
        assert len(north.all(GlMarketDocument)) == 1
        for code in (ALPHA, BRAVO, "tells its owner"):
            assert code.encode() not in seen[north]
        for member, foreign in ((alpha, (BRAVO, "asset-b", NORTH)), (bravo, (ALPHA, "asset-a", NORTH))):
            for word in (*foreign, "harbour", "tells its owner"):
                assert word.encode() not in seen[member]


async def test_r13_an_agr_gets_its_limits_again_on_request() -> None:
    async with System.running() as system:
        north, alpha, _ = await played(system)
        await north.ask(limit(north, 2000, "asset-a", "asset-b"))
        await system.until(lambda: bool(alpha.all(UnavailabilityMarketDocument)), "the share")

        again = await alpha.ask(request(alpha, "A27", "A53"))

        assert isinstance(again, UnavailabilityMarketDocument)
        (first, _) = alpha.all(UnavailabilityMarketDocument)
        assert (again.mrid, again.revision, again.series) == (first.mrid, first.revision, first.series)


async def test_r26_a_request_that_matches_nothing_is_answered_with_999() -> None:
    async with System.running() as system:
        north = await system.join(NORTH, Role.DSO)

        assert verdict(await north.ask(request(north, "A50", "A95"))) == "999"
        assert verdict(await north.ask(request(north, "A50", "A67"))) == "999"


async def test_r26_a_repeated_document_gets_its_first_answer_again_and_has_no_second_effect() -> None:
    async with System.running() as system:
        north = await system.join(NORTH, Role.DSO)
        document = points(north, POINT)
        first = await north.ask(document)
        position = system.hub.desk.position

        second = await north.ask(document)

        assert second == replace(first, created=second.created)
        assert system.hub.desk.position == position + 1


async def test_r26_an_unreadable_document_is_answered_with_the_messages_id() -> None:
    async with System.running() as system:
        north = await system.join(NORTH, Role.DSO)
        await north.send_bytes(b"<oops", mrid="x", business_type=BusinessType.POINTS)
        await system.until(lambda: bool(north.raw), "an answer")

        (answer,) = north.all(AcknowledgementMarketDocument)
        assert [reason.code for reason in answer.reasons][:2] == ["A02", "A94"]
        assert answer.received.mrid is None
        assert answer.received.title in {status.message_id for status in await north.store.outbox.status("x")}


async def test_r2_a_document_of_another_is_refused_and_has_no_effect() -> None:
    async with System.running() as system:
        north, alpha = await system.join(NORTH, Role.DSO), await system.join(ALPHA, Role.AGR)
        forged = assets(alpha, {"asset-a": 1000})

        answer = await north.ask(forged, business_type=BusinessType.POINTS)

        assert verdict(answer) == "A02"
        assert isinstance(answer, AcknowledgementMarketDocument)
        assert {reason.code for reason in answer.reasons} == {"A02", "A78"}
        assert answer.receiver.id == north.id


async def test_r1_a_suspended_participant_is_refused() -> None:
    async with System.running() as system:
        north = await system.join(NORTH, Role.DSO)
        await system.hub.desk.submit(SuspendParticipant(participant=north.id, why="late", by="ops"), cause="cli")

        answer = await north.ask(points(north, POINT))

        assert isinstance(answer, AcknowledgementMarketDocument)
        assert {reason.code for reason in answer.reasons} == {"A02", "A78"}


async def test_r30_a_document_that_makes_the_code_fail_is_answered_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with System.running() as system:
        north, alpha, _ = await played(system)
        genuine = system.hub.brain.decide

        def failing(command: object, now: object) -> object:
            if type(command).__name__ == "RegisterPoints":
                raise ZeroDivisionError
            return genuine(command, now)  # type: ignore[arg-type] # passed through

        monkeypatch.setattr(system.hub.brain, "decide", failing)

        answer = await north.ask(points(north, "point-2"))

        assert isinstance(answer, AcknowledgementMarketDocument)
        assert {reason.code for reason in answer.reasons} == {"A02", "A94"}
        assert verdict(await alpha.ask(assets(alpha, {"asset-c": 5}))) == "A01"
        assert system.hub.desk.set_aside == 1


async def test_r30_a_document_that_makes_the_reader_fail_is_answered_and_set_aside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with System.running() as system:
        north = await system.join(NORTH, Role.DSO)
        with monkeypatch.context() as patch:
            patch.setattr(registry, "read", lambda _: 1 / 0)
            await north.send(points(north, POINT))
            await system.until(lambda: bool(north.raw), "an answer")

        (answer,) = north.all(AcknowledgementMarketDocument)
        assert {reason.code for reason in answer.reasons} == {"A02", "A94"}
        assert answer.received.title is not None


async def test_r6_what_the_command_line_commits_reaches_a_running_hub() -> None:
    async with System.running() as system:
        north, alpha, bravo = await played(system)
        await north.ask(limit(north, 2000, "asset-a", "asset-b"))
        await system.quiet()
        store = system.hub_store
        own = Desk(app.brain_of(MARKET), store.log, store.commit, clock=system.clock, bells=Bells())
        await own.start()
        async with working(own):
            asset = identifiers.parse_identifier("asset-a")
            await own.submit(ReassignResource(resource=asset, to=bravo.id, why="sold", by="ops"), cause="cli")

        await system.clock.advance(FOLLOW_S)
        await system.until(lambda: len(bravo.all(UnavailabilityMarketDocument)) == 2, "the new operator's copy")
        await system.until(lambda: len(alpha.all(UnavailabilityMarketDocument)) == 2, "the old operator's cancel")

        assert alpha.all(UnavailabilityMarketDocument)[-1].status == "A09"
        assert len(bravo.all(UnavailabilityMarketDocument)[-1].series) == 2
        assert verdict(await bravo.ask(assets(bravo, {"asset-a": 1000}))) == "A01"


async def test_a_participant_that_the_command_line_adds_can_send() -> None:
    async with System.running() as system:
        store = system.hub_store
        own = Desk(app.brain_of(MARKET), store.log, store.commit, clock=system.clock, bells=Bells())
        await own.start()
        south = identifiers.party(SOUTH)
        async with working(own):
            await own.submit(AddParticipant(participant=south, role=Role.DSO, by="ops"), cause="cli")

        await system.clock.advance(FOLLOW_S)

        await system.until(lambda: system.hub.party_of(south) is not None, "the new participant")


async def test_r1_with_a_hint_a_participant_that_the_command_line_adds_can_send_at_once() -> None:
    async with System.running() as system:
        await system.quiet()
        store = system.hub_store
        own = Desk(app.brain_of(MARKET), store.log, store.commit, clock=system.clock, bells=Bells())
        await own.start()
        south = identifiers.party(SOUTH)
        async with working(own):
            await own.submit(AddParticipant(participant=south, role=Role.DSO, by="ops"), cause="cli")

        system.hub.hear(own.position)

        await system.until(lambda: system.hub.party_of(south) is not None, "the new participant")


async def test_a_large_document_takes_the_same_way() -> None:
    async with System.running() as system:
        north, alpha, _ = await played(system)
        many = assets(alpha, {f"asset-{number:04d}": 1000 for number in range(600)})
        assert len(registry.render(many)) > LARGE_BYTES

        assert verdict(await alpha.ask(many)) == "A01"
        await system.beat()
        await system.until(lambda: bool(north.all(RefMarketDocument)), "the delta")

        assert len(north.all(RefMarketDocument)[-1].series) == 602


async def test_the_operator_sees_every_documents_verdict() -> None:
    async with System.running() as system:
        north = await system.join(NORTH, Role.DSO)
        document = points(north, POINT)
        await north.ask(document)

        items = await system.hub_store.rows.list(Scope(OPERATOR), DOCUMENT_TRAIL)

        assert [document.mrid in item.key for item in items] == [True]
        assert [await system.hub_store.payload(entry.digest) for entry in system.hub_store.commit.inbox.values()] == [
            registry.render(document)
        ]


async def test_a_stopped_hub_goes_on_where_it_was() -> None:
    async with System.running() as system:
        await played(system)
        system.hub.stop()
        await system.until(lambda: system.hub.trouble() == "stopping", "the hub to stop")
        fresh = app.brain_of(MARKET)
        again = Desk(fresh, system.hub_store.log, system.hub_store.commit, clock=system.clock, bells=Bells())

        await again.start()

        assert fresh.contents() == system.hub.brain.contents()
        assert again.position == system.hub.desk.position


async def test_a_running_hub_signs_what_its_log_holds_and_an_audit_finds_it_good(tmp_path: Path) -> None:
    async with System.running(notary=keys_in(tmp_path, ManualClock())) as system:
        await played(system)
        records = system.hub.desk.position
        assert "checkpoint_position" in {measure.name for measure in system.hub.measures()}

        await system.clock.advance(MARKET.checkpoint_s + 1)

        newest = await system.hub_store.checkpoints.newest()
        assert newest is not None
        assert newest.size == records > 0
        audit = Audit(
            system.hub_store,
            Stand(log=log_name(system.hub.id)),
            salts=app.salts_of(MARKET),
            signature=signed_by(system.hub.id, tmp_path / "root.pem"),
        )
        async for _ in audit.pages(await audit.extent()):
            pass
        async for _ in audit.unnamed():
            pass
        assert audit.stand.complete


async def test_a_hub_without_keys_signs_nothing_and_works() -> None:
    async with System.running() as system:
        await played(system)

        await system.clock.advance(MARKET.checkpoint_s + 1)

        assert await system.hub_store.checkpoints.newest() is None
