"""A day on which everything happens: every kind of event, every view, every document, each fixed to the byte."""

from datetime import date, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from documents import registry
from documents.codes import Action, Status, action_reason
from documents.identifiers import parse_identifier
from documents.model import (
    AcknowledgementMarketDocument,
    AssetReference,
    Attribute,
    GlMarketDocument,
    GlSeries,
    Party,
    ReceivedDocument,
    RefMarketDocument,
    RefSeries,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
    UnavailabilitySeries,
)
from documents.values import Identifier, Interval, Period, Point, Reason
from hub.commands import (
    AddParticipant,
    ErasePayloads,
    Origin,
    Quarantine,
    RaiseAlarm,
    ReassignPoint,
    ReassignResource,
    ResumeParticipant,
    RetryMessage,
    SuspendParticipant,
)
from hub.events import ViewsRebuilt
from hub.restored import StoreRestored
from hub.rows import AGR_LIMITS
from hub.store.codec import digest_of
from hub.values import Role
from tests.golden.hub import Hub
from tests.hub_world import ALPHA, BRAVO, CHARLIE, HUB, NOON, NORTH, ROLE_CODE, SOUTH

ROLES: Final = {NORTH: Role.DSO, SOUTH: Role.DSO, ALPHA: Role.AGR, BRAVO: Role.AGR, CHARLIE: Role.BRP}
P1, P2, P3 = (parse_identifier(code) for code in ("571313199000000014", "571313199000000021", "571313199000000038"))
A1, A2, B1, C1 = (
    parse_identifier(code)
    for code in ("571313100000000010", "571313100000000027", "571313100000000034", "571313100000000065")
)
DOMAIN: Final = Identifier("A01:10YDK-2--------M")
SPAN: Final = Interval(NOON + timedelta(hours=2), NOON + timedelta(hours=5))
TO_HUB: Final = Party(HUB, "A32")


def sender(who: Identifier) -> Party:
    return Party(who, ROLE_CODE[ROLES[who]])


class Day:
    """Plays the day on a hub. A document's mRID counts, and it is made when it is sent."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._documents = 0

    async def play(self) -> None:
        """From the first participant to the last alarm."""
        await self._participants()
        await self._registrations()
        await self._schedules()
        await self._foreseen()
        await self._unforeseen()
        await self._questions()
        await self._handovers()
        await self._troubles()
        await self.hub.beat()

    async def _participants(self) -> None:
        for who, role in ROLES.items():
            brp = CHARLIE if who == ALPHA else None
            name = f"participant {role}"
            await self.hub.operate(
                AddParticipant(participant=who, role=role, name=name, brp=brp, why="contract", by="operator")
            )
        await self.hub.operate(SuspendParticipant(participant=BRAVO, why="fees not paid", by="operator"))
        await self.hub.operate(ResumeParticipant(participant=BRAVO, why="fees paid", by="operator"))

    async def _registrations(self) -> None:
        await self.assets(ALPHA, asset(ALPHA, A1, P1, consumes=500_000))
        await self.points(NORTH, P1, P2)
        await self.points(SOUTH, P3)
        await self.assets(ALPHA, asset(ALPHA, A2, P2, produces=4_500_000, consumes=120_000))
        await self.assets(BRAVO, asset(BRAVO, B1, P1, produces=1_000_000, consumes=1_000_000))
        await self.assets(CHARLIE, asset(CHARLIE, C1, P3, consumes=250_000))
        await self.assets(BRAVO, asset(BRAVO, A1, P1, consumes=1))  # another one holds it (R5)
        await self.hub.beat()

    async def _schedules(self) -> None:
        await self.schedule(ALPHA, "plan-alpha", 1, {A1: (-300_000, -100_000), A2: (3_600_000,)})
        await self.schedule(ALPHA, "plan-alpha", 2, {A1: (-200_000,), A2: None})
        await self.schedule(BRAVO, "plan-bravo", 1, {B1: (9_999_999,)})  # above its rating (R23)
        await self.schedule(CHARLIE, "plan-charlie", 1, {C1: (-150_000,), A1: (-1,)})  # one of two is not its own
        await self.hub.beat()

    async def _foreseen(self) -> None:
        first = self.limit("limit-1", 1, {(A1, B1): (700_000, 100_001)})
        await self.hub.take(first)
        await self.hub.take(first)  # the same again (R19)
        await self.collect(ALPHA)
        await self.collect(BRAVO, "A02")
        await self.hub.take(self.limit("limit-1", 2, {(A1,): (50_000,)}))
        await self.hub.take(self.limit("limit-2", 1, {(A1, C1): (1,)}))  # not all on its grid (R14)

    async def _unforeseen(self) -> None:
        await self.hub.take(self.order("order-1", 1, {A1: "STOP", B1: "HOLD"}))
        await self.hub.take(replace(self.order("order-1", 2, {A1: "STOP"}), status=Status.CANCELLED.value))
        await self.hub.take(replace(self.order("order-9", 1, {A1: "STOP"}), status=Status.WITHDRAWN.value))

    async def _questions(self) -> None:
        for who, subject in ((NORTH, "A95"), (NORTH, "A67"), (ALPHA, "A53"), (SOUTH, "A67"), (CHARLIE, "A53")):
            await self.hub.take(self.request(who, subject))

    async def _handovers(self) -> None:
        await self.hub.operate(ReassignResource(resource=A1, to=BRAVO, why="sold", by="operator"))
        await self.hub.operate(ReassignPoint(point=P3, to=NORTH, why="border moved", by="operator"))
        await self.assets(BRAVO, replace(asset(BRAVO, B1, P1), cancelled=True), process="A38")
        await self.hub.beat()
        await self.points(NORTH, P2, cancelled=True)

    async def _troubles(self) -> None:
        await self.hub.take_bytes(b"<no-document/>", CHARLIE, "TPS-ASSETS", "unreadable")
        content = registry.render(self.request(SOUTH, "A95"))
        origin = Origin(
            sender=SOUTH, role="A50", mrid="fails", digest=digest_of(content), created=NOON, business_type="TPS-REQUEST"
        )
        aside = Quarantine(origin=origin, message_id="from-south", error="ZeroDivisionError")
        await self.hub.operate(aside, cause=f"{SOUTH}/fails")
        alarm = RaiseAlarm(subject="undelivered/message-001", text="not delivered to A10:5790000000005 after 60 s")
        await self.hub.operate(alarm, cause="alarm/undelivered/message-001")
        retry = RetryMessage(
            message_id="message-001", receiver=NORTH, document="limit-1", again=None, why="line was down", by="operator"
        )
        await self.hub.operate(retry)
        erased = digest_of(self.hub.came[0].content)
        await self.hub.operate(
            ErasePayloads(digests=(erased,), before=None, participant=ALPHA, why="asked to", by="operator")
        )
        await self._maintenance()

    async def _maintenance(self) -> None:
        made = ViewsRebuilt(
            projections=("agr_limits", "operator_board"),
            items=1,
            keys=2,
            appended=2,
            renewed=("operator_board",),
            why="a row was damaged",
            by="operator",
        )
        await self.hub.record(made)
        back = StoreRestored(made=NOON, head=3, chain="ab" * 32, why="the disk was lost", by="operator")
        await self.hub.record(back)

    async def points(self, who: Identifier, *points: Identifier, cancelled: bool = False) -> None:
        series = tuple(ref(who, point, "A11", cancelled=cancelled) for point in points)
        await self.hub.take(self.registration(who, series, "A38" if cancelled else "A36"))

    async def assets(self, who: Identifier, *series: RefSeries, process: str = "A36") -> None:
        await self.hub.take(self.registration(who, series, process))

    def registration(self, who: Identifier, series: tuple[RefSeries, ...], process: str) -> RefMarketDocument:
        return RefMarketDocument(
            mrid=self._next(),
            process=process,
            sender=sender(who),
            receiver=TO_HUB,
            created=self._now(),
            series=series,
        )

    async def schedule(
        self, who: Identifier, mrid: str, revision: int, plans: dict[Identifier, tuple[int, ...] | None]
    ) -> None:
        series = tuple(
            GlSeries(
                mrid=f"{number}",
                in_domain=DOMAIN,
                out_domain=DOMAIN,
                resource=resource,
                cancelled=watts is None,
                periods=hourly(*watts) if watts else (),
            )
            for number, (resource, watts) in enumerate(plans.items(), 1)
        )
        await self.hub.take(
            GlMarketDocument(
                mrid=mrid,
                revision=revision,
                sender=sender(who),
                receiver=TO_HUB,
                created=self._now(),
                interval=SPAN,
                series=series,
            )
        )

    def limit(
        self, mrid: str, revision: int, totals: dict[tuple[Identifier, ...], tuple[int, ...]]
    ) -> UnavailabilityMarketDocument:
        series = tuple(
            UnavailabilitySeries(
                mrid=f"{number}",
                business_type="A53",
                interval=SPAN,
                assets=tuple(map(AssetReference, assets)),
                periods=hourly(*watts),
            )
            for number, (assets, watts) in enumerate(totals.items(), 1)
        )
        return self._outage(mrid, revision, "A76", series, (Reason("B19", "cable works at the harbour"),))

    def order(self, mrid: str, revision: int, actions: dict[Identifier, Action]) -> UnavailabilityMarketDocument:
        series = tuple(
            UnavailabilitySeries(
                mrid=f"{number}",
                business_type="A54",
                interval=SPAN,
                assets=(AssetReference(resource),),
                reasons=(action_reason(action),),
            )
            for number, (resource, action) in enumerate(actions.items(), 1)
        )
        return self._outage(mrid, revision, "A53", series, (Reason("B18", "fire in the station"),))

    def request(self, who: Identifier, subject: str) -> StatusRequestMarketDocument:
        return StatusRequestMarketDocument(
            mrid=self._next(),
            sender=sender(who),
            receiver=TO_HUB,
            created=self._now(),
            attributes=(Attribute("DocumentType", subject),),
        )

    async def collect(self, who: Identifier, verdict: str = "A01") -> None:
        """Its gateway answers the newest copy of a limit."""
        copy = next(one for one in reversed(self.hub.left) if one.receiver == who and one.source.view == AGR_LIMITS)
        await self.hub.take(
            AcknowledgementMarketDocument(
                mrid=self._next(),
                created=self._now(),
                sender=sender(who),
                receiver=TO_HUB,
                received=ReceivedDocument(mrid=copy.document, revision=1),
                reasons=(Reason(verdict, "as it must be" if verdict == "A01" else "cannot be read"),),
            )
        )

    def _outage(
        self,
        mrid: str,
        revision: int,
        kind: str,
        series: tuple[UnavailabilitySeries, ...],
        reasons: tuple[Reason, ...],
    ) -> UnavailabilityMarketDocument:
        return UnavailabilityMarketDocument(
            mrid=mrid,
            revision=revision,
            type=kind,
            created=self._now(),
            sender=sender(NORTH),
            receiver=TO_HUB,
            interval=SPAN,
            series=series,
            reasons=reasons,
        )

    def _next(self) -> str:
        self._documents += 1
        return f"document-{self._documents:03}"

    def _now(self) -> datetime:
        return self.hub.clock.now()


def ref(who: Identifier, resource: Identifier, psr_type: str, *, cancelled: bool = False) -> RefSeries:
    return RefSeries(
        resource=resource,
        name="a name that only its owner knows",
        psr_type=psr_type,
        cancelled=cancelled,
        owner=who,
        start_lifetime=date(2026, 1, 1),
        domains=(DOMAIN,),
    )


def asset(
    who: Identifier, resource: Identifier, point: Identifier, *, produces: int = 0, consumes: int = 0
) -> RefSeries:
    psr_type = "A03" if produces and consumes else "A05" if consumes else "A04"
    return replace(
        ref(who, resource, psr_type),
        specific=(point,),
        max_production=produces or None,
        max_consumption=consumes or None,
    )


def hourly(*watts: int) -> tuple[Period, ...]:
    """One value an hour, the last one lasting."""
    return (Period(SPAN, "PT60M", tuple(Point(position, value) for position, value in enumerate(watts, 1))),)
