"""Collects what the store knows of one document, for its story: the shell around hub.history.trail."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from documents.values import Identifier
from hub.brain import HubBrain
from hub.events import Event
from hub.history.evidence import Received, Sent
from hub.history.trail import Story, story
from hub.ports import Recorded, StoredEvent

if TYPE_CHECKING:
    from hub.store.history import PostgresHistory

Source = tuple[Identifier, str]
"""(sender, mRID or message id): what led to events, in the words of their cause."""


class Gathering:
    """Finds the documents that an id stands for, and everything about each."""

    def __init__(self, history: "PostgresHistory", brain: HubBrain) -> None:
        self._history, self._brain = history, brain

    async def stories(self, text: str) -> list[Story]:
        """One story for each document that came under this id; else that of a document of the hub's own."""
        sources = [_source(message) for message in await self._history.received([text])] or [
            source for cause in await self._history.causes_named(text) if (source := _document_of(cause))
        ]
        if sources:
            return [await self._of_source(source) for source in dict.fromkeys(sources)]
        sent = await self._history.sent([text])
        return [await self._of_own(text, sent)] if sent else []

    async def _of_source(self, source: Source) -> Story:
        sender, document = source
        messages = [one for one in await self._history.received([document]) if one.sender == sender]
        causes = {f"{sender}/{document}", *(f"{sender}/{one.message_id}" for one in messages)}
        events = self._read(await self._history.events_about(sorted(causes)))
        return await self._told(document, sender, messages, events)

    async def _of_own(self, text: str, sent: Sequence[Sent]) -> Story:
        """The story of what a document of the hub was made of, where that is one document; else its own."""
        behind = [event for one in sent if one.source for event in await self._history.events_behind(one.source)]
        causes = list(dict.fromkeys(event.cause for event in behind))
        if len(causes) == 1 and (source := _document_of(causes[0])):
            return await self._of_source(source)
        if len(causes) == 1:
            return await self._told(text, None, (), self._read(behind))
        return story(text, None, sent=sent, answers=await self._answers(sent), made_of=causes)

    async def _told(
        self,
        document: str,
        sender: Identifier | None,
        messages: Sequence[Received],
        events: list[Recorded[Event]],
    ) -> Story:
        sent = await self._history.sent_because_of([recorded.position for recorded in events])
        answers = await self._answers(sent)
        return story(document, sender, received=messages, events=events, sent=sent, answers=answers)

    async def _answers(self, sent: Iterable[Sent]) -> list[Recorded[Event]]:
        """What the receivers' gateways answered to the documents that left."""
        streams = sorted({f"push/{one.receiver}/{one.document}" for one in sent})
        return self._read(await self._history.events_about((), streams))

    def _read(self, stored: Iterable[StoredEvent]) -> list[Recorded[Event]]:
        return [
            Recorded(self._brain.decode(one.topic, one.state), one.position, one.at, one.cause)
            for one in sorted(stored, key=lambda one: one.position)
        ]


def _source(message: Received) -> Source:
    return message.sender, message.document


def _document_of(cause: str) -> Source | None:
    """The document a cause names; None for a decision of the operator or of the hub itself."""
    sender, _, document = cause.partition("/")
    return (Identifier(sender), document) if ":" in sender else None
