"""The operator's pages of a running hub, and what a limit would do if it came (floor 7; F3)."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Final
from uuid import uuid4

import msgspec

from documents import identifiers, registry
from documents.codes import ReasonCode
from documents.errors import DocumentError
from documents.model import UnavailabilityMarketDocument
from documents.values import Identifier, Interval, Period, Point, Reason
from hub import intake
from hub.app.gathering import Gathering
from hub.app.parts import Store
from hub.app.running import Hub
from hub.commands import AnnounceLimit, Command, ForeseenSeries, OrderLimit, Origin, UnforeseenSeries
from hub.events import DocumentAnswered, DocumentRepeated, Event, LimitAnnounced, LimitOrdered
from hub.history.trail import Entry, Leg
from hub.mades.message import BusinessType
from hub.ports import Clock
from hub.projections import limit_contents
from hub.rows import LimitContent
from hub.settings import Hub as Market
from hub.settings import Web
from hub.store.postgres import PostgresStore
from hub.web.answers import DocumentStory, StoryLeg, StoryLine
from hub.web.api import Sources
from hub.web.pages import OperatorPages
from hub.web.trial import Refusal, Trial

ROLE: Final = "A50"
STEP: Final = timedelta(minutes=1)


def operator_pages(hub: Hub, market: Market, web: Web, *, store: Store, clock: Clock) -> OperatorPages:
    """The pages of this hub; `running` serves them."""
    sources = Sources(
        hub=hub.id,
        zone=market.timezone,
        rows=store.rows,
        feed=hub.feed,
        messages=store.outbox,
        payload=store.payload,
        story=Stories(hub, store).of,
        trouble=hub.trouble,
        trial=Trials(hub, market, clock).judge,
        clock=clock,
    )
    return OperatorPages(sources, web, secret=market.secret.reveal())


class Stories:
    """What became of documents, as the log, the inbox and the traces of a database tell it."""

    def __init__(self, hub: Hub, store: Store) -> None:
        self._gathering = Gathering(store.history, hub.brain) if isinstance(store, PostgresStore) else None

    async def of(self, sender: Identifier, mrid: str) -> DocumentStory:
        """The story of one document; empty without an mRID, and in memory, which keeps none. Raises Unavailable."""
        if self._gathering is None or not mrid:
            return DocumentStory()
        for story in await self._gathering.stories(mrid):
            if story.sender == sender:
                return DocumentStory(lines=_lines(story.entries), legs=[_leg(leg) for leg in story.legs])
        return DocumentStory()


def _lines(entries: Iterable[Entry]) -> list[StoryLine]:
    return [StoryLine(at=entry.at, who=entry.who, text=entry.text) for entry in entries]


def _leg(leg: Leg) -> StoryLeg:
    return StoryLeg(
        receiver=leg.receiver,
        business_type=leg.business_type,
        document=leg.document,
        state=leg.state.value,
        lines=_lines(leg.entries),
    )


class Trials:
    """Asks the hub's own core what it would decide; deciding changes nothing, and nothing of it is committed."""

    def __init__(self, hub: Hub, market: Market, clock: Clock) -> None:
        self._hub, self._market, self._clock = hub, market, clock

    def judge(self, trial: Trial) -> LimitContent | Refusal:
        """What the limit would say if its DSO sent it now, or why the hub would refuse it."""
        try:
            command = self._read(trial) if trial.document else _said(trial, self._market.national_scheme)
        except ValueError as error:
            return Refusal((Reason(ReasonCode.NOT_COMPLIANT.value, str(error)),))
        return _outcome(self._hub.brain.decide(command, self._clock.now()))

    def _read(self, trial: Trial) -> Command:
        """The command of a document. Raises ValueError for one that holds no limit."""
        content = trial.document.strip().encode()
        try:
            document = registry.read(content)
        except DocumentError as error:
            raise ValueError(f"The document cannot be read: {error}") from error
        if not isinstance(document, UnavailabilityMarketDocument):
            raise ValueError("The document is no Unavailability_MarketDocument. Paste the document of a limit.")
        command: Command | None = None
        for carried in (BusinessType.FORESEEN, BusinessType.UNFORESEEN):
            envelope = intake.Envelope(sender=document.sender.id, business_type=carried, message_id="")
            command = intake.read(content, envelope=envelope, hub=self._hub.id, national=self._market.national_scheme)
            if isinstance(command, AnnounceLimit | OrderLimit):
                break
        assert command is not None, "two are tried"
        return command


def _said(trial: Trial, national: str) -> AnnounceLimit | OrderLimit:
    """The command of a form. Raises ValueError for what is missing."""
    if trial.start is None or trial.end is None or not trial.start < trial.end:
        raise ValueError("The limit needs a start and an end after it.")
    assets = tuple(identifiers.parse_identifier(one.strip(), national=national) for one in trial.assets if one.strip())
    interval = Interval(trial.start, trial.end)
    if trial.action:
        return OrderLimit(
            origin=_origin(trial, BusinessType.UNFORESEEN),
            direction=trial.direction,
            interval=interval,
            series=(UnforeseenSeries(series="1", assets=assets, action=trial.action),),
        )
    return AnnounceLimit(
        origin=_origin(trial, BusinessType.FORESEEN),
        direction=trial.direction,
        interval=interval,
        series=(ForeseenSeries(series="1", assets=assets, periods=tuple(_periods(trial, interval))),),
    )


def _origin(trial: Trial, carried: BusinessType) -> Origin:
    mrid = uuid4().hex
    digest = hashlib.sha256(msgspec.json.encode(trial)).hexdigest()
    return Origin(sender=trial.dso, role=ROLE, mrid=mrid, revision=1, digest=digest, business_type=carried)


def _periods(trial: Trial, interval: Interval) -> Iterator[Period]:
    """The total over time, one Period for each stretch without a gap, in steps of a minute, which fit any start."""
    steps = sorted(trial.steps, key=lambda step: step.start)
    if not steps or steps[0].start != interval.start or steps[-1].start >= interval.end:
        raise ValueError("The steps must begin at the start of the limit and lie before its end.")
    if all(step.watts is None for step in steps):
        raise ValueError("No step says a power. Give one at least.")
    ends = [*(step.start for step in steps[1:]), interval.end]
    for is_limited, run in groupby(zip(steps, ends, strict=True), key=lambda each: each[0].watts is not None):
        held = list(run)
        if is_limited:
            span = Interval(held[0][0].start, held[-1][1])
            points = ((step.start - span.start, step.watts) for step, _ in held)
            yield Period(span, "PT1M", tuple(Point(since // STEP + 1, watts or 0) for since, watts in points))


def _outcome(events: Sequence[Event]) -> LimitContent | Refusal:
    for event in events:
        if isinstance(event, LimitAnnounced | LimitOrdered):
            return limit_contents.content(event)
    reasons = tuple(
        reason
        for event in events
        if isinstance(event, DocumentAnswered)
        for reason in (*event.reasons, *(reason for series in event.rejected for reason in series.reasons))
    )
    if any(isinstance(event, DocumentRepeated) for event in events):
        reasons = (Reason(ReasonCode.NOT_SPECIFIED.value, "This very document has been received already."),)
    return Refusal(reasons or (Reason(ReasonCode.NOT_COMPLIANT.value, "The document sets no limit."),))
