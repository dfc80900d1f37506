"""A gateway's brain on a bench: commands in, events and rows out, no loop, no store."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from documents.model import (
    AcknowledgementMarketDocument,
    Document,
    Party,
    ReceivedDocument,
    RejectedSeries,
)
from documents.values import Identifier, Interval, Period, Point, Reason
from gateways.agr.trade import AggregatorTrade
from gateways.brain import GatewayBrain
from gateways.commands import Receive
from gateways.dso.trade import GridTrade
from gateways.events import DocumentSent
from gateways.identity import Identity
from gateways.verdicts import revision_of
from hub.ports import Recorded, Row

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
HUB = Party(Identifier("A01:45X-TPS-HUB-DEM8"), "A32")
ALPHA = Party(Identifier("A01:45X-AGR-ALPHA--N"), "A27")
NORTH = Party(Identifier("A10:5790000000005"), "A50")
A1, A2 = Identifier("NDK:A1"), Identifier("NDK:A2")
P1, P2 = Identifier("NDK:P1"), Identifier("NDK:P2")


def identity(me: Party) -> Identity:
    """Who the gateway on the bench is."""
    domain = Identifier("A01:10YDK-2--------M")
    return Identity(me=me, hub=HUB, domain=domain, national="NDK", timezone="Europe/Copenhagen")


class Bench:
    """A brain, the time, and every row it has shown."""

    def __init__(self, brain: GatewayBrain) -> None:
        self.brain, self.now = brain, NOON
        self.shown: list[Row] = []
        self.events: list[Any] = []
        self._positions = count(1)
        self._acknowledgements = count(1)

    @classmethod
    def agr(cls) -> "Bench":
        """An aggregator's."""
        return cls(GatewayBrain(identity(ALPHA), AggregatorTrade(identity(ALPHA))))

    @classmethod
    def dso(cls) -> "Bench":
        """A grid operator's."""
        return cls(GatewayBrain(identity(NORTH), GridTrade(identity(NORTH))))

    def do(self, command: Any) -> list[Row]:
        """Decide and fold a command; the rows it shows."""
        rows: list[Row] = []
        for event in self.brain.decide(command, self.now):
            topic, state = self.brain.encode(event)
            assert self.brain.decode(topic, state) == event
            recorded = Recorded(event, next(self._positions), self.now, "test")
            rows.extend(self.brain.rows(recorded))
            self.brain.evolve(recorded)
            self.events.append(event)
        self.shown.extend(rows)
        return rows

    def send(self, command: Any) -> Document:
        """Decide a wish that leads to a document; the document."""
        before = len(self.events)
        self.do(command)
        sent = [event for event in self.events[before:] if isinstance(event, DocumentSent)]
        assert sent, "nothing was sent"
        return sent[0].document

    def accept(self, document: Document) -> list[Row]:
        """The hub accepts a document."""
        return self.answer(document, Reason("A01"))

    def refuse(self, document: Document, code: str, text: str = "no") -> list[Row]:
        """The hub refuses a document as a whole."""
        return self.answer(document, Reason("A02"), Reason(code, text))

    def refuse_series(self, document: Document, series: str, code: str) -> list[Row]:
        """The hub refuses one series of a document."""
        return self.answer(
            document, Reason("A03"), rejected=(RejectedSeries(mrid=series, reasons=(Reason(code, "no"),)),)
        )

    def answer(self, document: Document, *reasons: Reason, rejected: tuple[RejectedSeries, ...] = ()) -> list[Row]:
        """The hub answers a document."""
        number = next(self._acknowledgements)
        answer = AcknowledgementMarketDocument(
            mrid=f"ack{number}",
            created=self.now,
            sender=HUB,
            receiver=self.brain.who.me,
            received=ReceivedDocument(mrid=document.mrid, revision=revision_of(document) or None),
            reasons=reasons,
            rejected=rejected,
        )
        return self.do(Receive(document=answer, message_id=f"m{number}"))

    def receive(self, document: Document, *, response: bool = False) -> list[Row]:
        """The hub sends a document."""
        return self.do(Receive(document=document, message_id=f"message of {document.mrid}", response=response))

    def later(self, **delta: float) -> None:
        """Time passes."""
        self.now += timedelta(**delta)

    def row(self, view: str, key: str) -> Any:  # the row type of the view
        """The row last shown for a key; as the store would give it back."""
        found = [row for row in self.shown if (row.view, row.key) == (view, key)]
        payload = found[-1].payload if found else None
        return payload and msgspec.msgpack.decode(msgspec.msgpack.encode(payload), type=type(payload))


def left(rows: list[Row]) -> list[str]:
    """The mRIDs of documents that leave with these rows."""
    return [row.send.document for row in rows if row.send]


def flat(start: datetime, hours: int, quantity: int) -> Period:
    """A constant curve."""
    return Period(Interval(start, start + timedelta(hours=hours)), "PT60M", (Point(1, quantity),))
