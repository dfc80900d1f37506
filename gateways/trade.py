"""What the two kinds of gateway do differently with their documents: the seam of the brain (pure)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

from documents.model import Document, StatusRequestMarketDocument
from documents.values import Mrid
from gateways import verdicts
from gateways.draft import Draft
from gateways.events import Reminded
from gateways.state import Tables
from hub.ports import Row


class Trade(Protocol):
    """What one kind of gateway does with its documents. Pure; `known` is the state before the event."""

    def draft(self, command: Any, known: Tables, now: datetime) -> Draft | None:  # a command of this trade
        """The document a command of this trade leads to; None when the state no longer allows it."""

    def sent(self, document: Document, known: Tables) -> Iterator[Row]:
        """Rows of a document that is on its way."""

    def answered(self, document: Document, outcome: verdicts.Outcome, known: Tables) -> Iterator[Row]:
        """Rows of a document the hub has judged."""

    def received(self, document: Document, request: StatusRequestMarketDocument | None, known: Tables) -> Iterator[Row]:
        """Rows of a document from the hub, or of an empty answer to `request`."""

    def at_once(self, document: Document) -> bool:
        """Whether this is acknowledged on arrival; a limit is when its client collects it (R29)."""

    def collectable(self, mrid: Mrid, revision: int, known: Tables) -> Document | None:
        """What the acknowledgement of a collected limit answers, as far as it is known."""

    def reminders(self, known: Tables, now: datetime, ahead: timedelta) -> Iterator[Reminded]:
        """Limits whose sender must be reminded (R15)."""

    def reminded(self, event: Reminded, known: Tables) -> Iterator[Row]:
        """Rows of a reminder."""
