"""What one participant knew at an instant: its rows by the same projections, and which of them had reached it (R29).

A row is what the hub would have told; the participant knew it once a document that carries it was confirmed by its
gateway (RECEIVED). Until then it knew the row before. Which document carries a row is known by the row's number in the
live feed, where corrections may stand in between (R32). Nothing of another audience is kept.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from documents.values import Identifier, Instant, Interval
from hub.brain import HubBrain
from hub.events import Event, PushAcknowledged
from hub.history.evidence import Received, Sent, Told
from hub.ports import MessageState, Recorded, Row
from hub.rows import AGR_ASSETS

NOT_SENT: Final = frozenset({AGR_ASSETS})
"""Views that no document carries: what the participant itself has said."""


class Version(Struct, frozen=True, kw_only=True):
    """A row as it stood: `payload` None is a withdrawal, `valid` the span it is about.

    `sent` and `confirmed` are when a document with it was first handed to the broker, and confirmed by its receiver.
    """

    position: int
    issued: Instant
    payload: Any  # a row type of hub.rows
    valid: Interval | None = None
    sent: Instant | None = None
    confirmed: Instant | None = None


class KnownRow(Struct, frozen=True, kw_only=True):
    """One key of a view: the newest version at the hub, and the newest one that had been confirmed."""

    key: str
    at_hub: Version
    known: Version | None


class View(Struct, frozen=True, kw_only=True):
    """The rows of one view, by key."""

    view: str
    is_sent: bool
    rows: tuple[KnownRow, ...]


class SentDocument(Struct, frozen=True, kw_only=True):
    """A document for the participant as it was at the instant; `collected` by its own client (R29)."""

    document: str
    message_id: str
    business_type: str
    digest: str | None
    state: MessageState
    accepted: Instant
    delivered: Instant | None
    confirmed: Instant | None
    collected: Instant | None


class Knowledge(Struct, frozen=True, kw_only=True):
    """What a participant knew at `at`: views, the documents for it, and the documents of its own that had come."""

    participant: Identifier
    at: Instant
    position: int
    recorded: Instant | None
    views: tuple[View, ...]
    documents: tuple[SentDocument, ...]
    received: tuple[Received, ...]


class Learner:
    """Follows the log up to the instant, for one participant.

    `messages` are those made for it by then, `told` its rows as they stand in the live feeds.
    """

    def __init__(
        self, brain: HubBrain, participant: Identifier, at: Instant, messages: Sequence[Sent], told: Iterable[Told]
    ) -> None:
        self._brain, self._me, self._at, self._messages = brain, participant, at, messages
        self._carriers = _by_view(messages)
        self._numbers: dict[tuple[str, str], list[Told]] = defaultdict(list)
        for each in told:
            self._numbers[each.view, each.key].append(each)
        self._rows: dict[str, dict[str, KnownRow]] = defaultdict(dict)
        self._collected: dict[str, list[Instant]] = {}
        self._last: Recorded[Event] | None = None

    def take(self, recorded: Recorded[Event]) -> None:
        """Fold the next event."""
        for row in self._brain.rows(recorded):
            if row.audience == self._me:
                self._keep(row, recorded)
        event = recorded.event
        if isinstance(event, PushAcknowledged) and event.participant == self._me:
            self._collected.setdefault(event.document, []).append(recorded.at)
        self._brain.evolve(recorded)
        self._last = recorded

    def learned(self, received: Iterable[Received] = ()) -> Knowledge:
        """Everything at the instant. `received` are the participant's own messages by then."""
        return Knowledge(
            participant=self._me,
            at=self._at,
            position=self._last.position if self._last else 0,
            recorded=self._last.at if self._last else None,
            views=tuple(self._view(view) for view in sorted(self._rows)),
            documents=tuple(self._document(message) for message in self._messages),
            received=tuple(received),
        )

    @property
    def is_participant(self) -> bool:
        """Whether it took part at the instant."""
        return self._me in self._brain.state.participants

    def _keep(self, row: Row, recorded: Recorded[Event]) -> None:
        """Put a new version on top; the one before it has been told by now or never will be."""
        before = self._rows[row.view].get(row.key)
        known = self._settled(row.view, before, until=recorded.position).known if before else None
        version = Version(
            position=recorded.position, issued=row.issued or recorded.at, payload=row.payload, valid=row.valid
        )
        self._rows[row.view][row.key] = KnownRow(key=row.key, at_hub=version, known=known)

    def _settled(self, view: str, row: KnownRow, *, until: int | None = None) -> KnownRow:
        """The row with what became of its newest version, of which every document before `until` tells."""
        messages = [
            message
            for told in self._numbers[view, row.key]
            if row.at_hub.position <= told.position and (until is None or told.position < until)
            for message in self._carriers_of(view, told.sequence)
        ]
        version = replace(
            row.at_hub,
            sent=min(filter(None, (one.first(_TRANSPORTED, self._at) for one in messages)), default=None),
            confirmed=min(filter(None, (one.first(MessageState.RECEIVED, self._at) for one in messages)), default=None),
        )
        known = version if version.confirmed or view in NOT_SENT else row.known
        return KnownRow(key=row.key, at_hub=version, known=known)

    def _view(self, view: str) -> View:
        settled = (self._settled(view, row) for _, row in sorted(self._rows[view].items()))
        rows = (row for row in settled if row.at_hub.payload or (row.known and row.known.payload))
        return View(view=view, is_sent=view not in NOT_SENT, rows=tuple(rows))

    def _carriers_of(self, view: str, sequence: int) -> list[Sent]:
        """The message with this row: slices of one feed do not overlap."""
        ends, messages = self._carriers.get(view, ([], []))
        index = bisect_left(ends, sequence)
        if index == len(ends):
            return []
        source = messages[index].source
        return [messages[index]] if source and source.after < sequence else []

    def _document(self, message: Sent) -> SentDocument:
        times = self._collected.get(message.document, ())
        delivered = message.first(MessageState.DELIVERED, self._at)
        confirmed = message.first(MessageState.RECEIVED, self._at)
        failed = message.first(MessageState.FAILED, self._at)
        return SentDocument(
            document=message.document,
            message_id=message.message_id,
            business_type=message.business_type,
            digest=message.digest,
            state=_state(delivered, confirmed, failed),
            accepted=message.accepted,
            delivered=delivered,
            confirmed=confirmed,
            collected=min((at for at in times if at >= message.accepted), default=None),
        )


_TRANSPORTED: Final = "TRANSPORTED"
"""The step of a trace that says that the broker has it."""


def _state(delivered: Instant | None, confirmed: Instant | None, failed: Instant | None) -> MessageState:
    if confirmed:
        return MessageState.RECEIVED
    if failed:
        return MessageState.FAILED
    return MessageState.DELIVERED if delivered else MessageState.ACCEPTED


def _by_view(messages: Iterable[Sent]) -> Mapping[str, tuple[list[int], list[Sent]]]:
    """The messages of each view by the last row they carry."""
    found: dict[str, list[tuple[int, Sent]]] = {}
    for message in messages:
        if message.source:
            found.setdefault(message.source.view, []).append((message.source.upto, message))
    return {
        view: ([upto for upto, _ in pairs], [message for _, message in pairs])
        for view, pairs in ((view, sorted(each, key=lambda pair: pair[0])) for view, each in found.items())
    }
