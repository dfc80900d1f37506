"""`tps events replay | trail`: what somebody knew, and what became of a document (ARCHITECTURE 7.9)."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click
import msgspec

from documents.values import Identifier, Instant
from hub.history import wording
from hub.history.knowledge import Knowledge, KnownRow, Learner, SentDocument, Version, View
from hub.history.trail import Entry, Story
from hub.history.wording import utc
from hub.ports import MessageState, Recorded
from hub.settings import HubSettings, Sources
from hub.verbs.looking import JSON, Names, events_of, with_store
from hub.verbs.operating import party
from hub.verbs.texts import UtcTime

if TYPE_CHECKING:
    from hub.store.postgres import PostgresStore

SHOWN: Final = 50
"""Rows of a view and documents that people are shown; programs get all."""
STATES: Final = {
    MessageState.ACCEPTED: "not delivered yet",
    MessageState.DELIVERED: "delivered, not confirmed yet",
    MessageState.RECEIVED: "confirmed",
    MessageState.FAILED: "failed",
}


@click.command()
@click.option("--as", "participant", required=True, metavar="PARTICIPANT", help="Whose knowledge.")
@click.option("--at", type=UtcTime(), required=True, help="When, for example 2026-11-24T14:05:00Z.")
@JSON
@click.pass_obj
def replay(sources: Sources, participant: str, at: Instant, *, as_json: bool) -> None:
    """Tell what a participant knew at an instant: its rows, and the documents it had been sent and had confirmed.

    The log is read to that instant and every row is made anew. A row counts as known from when the participant's
    gateway confirmed a document with it; before that the row it knew until then is told as well.
    Exit codes: 0 told, 1 no such participant then, 2 used wrongly.
    """
    knowledge, names = with_store(sources, lambda store, settings: _learn(store, settings, participant, at))
    if as_json:
        click.echo(msgspec.json.encode(knowledge))
    else:
        click.echo("\n".join(_told(knowledge, names)))


@click.command()
@click.argument("document", metavar="MRID")
@JSON
@click.pass_obj
def trail(sources: Sources, document: str, *, as_json: bool) -> None:
    """Tell the whole story of a document, by its mRID or the id of a message that carried it.

    Who sent it, when it was received, how it was judged and why, how it was divided, what was sent on to whom, and how
    far that came, with the SHA-256 of documents and signatures. The mRID of a copy leads to the story of its source.
    Exit codes: 0 told, 1 nothing is known of it, 2 used wrongly.
    """
    stories, names = with_store(sources, lambda store, settings: _trace(store, settings, document))
    if not stories:
        raise click.ClickException(f"No document or message {document} is known here. Give its mRID or message id.")
    if as_json:
        click.echo(msgspec.json.encode(stories))
    else:
        click.echo("\n\n".join("\n".join(_narrated(story, names)) for story in stories))


async def _trace(store: "PostgresStore", settings: HubSettings, text: str) -> tuple[list[Story], Names]:
    from hub.app import brain_of  # noqa: PLC0415 - `--help` need not load a database's client
    from hub.app.gathering import Gathering  # noqa: PLC0415 - as above

    gathering = Gathering(store.history, brain_of(settings.hub))
    return await gathering.stories(text), Names(settings)


async def _learn(
    store: "PostgresStore", settings: HubSettings, participant: str, at: Instant
) -> tuple[Knowledge, Names]:
    from hub.app import brain_of  # noqa: PLC0415 - `--help` need not load a database's client

    me: Identifier = party(participant, settings)
    brain = brain_of(settings.hub)
    messages, told = await store.history.sent_to(me, at), await store.history.told(me)
    learner = Learner(brain, me, at, messages, told)
    async for stored in events_of(store, until=lambda event: event.at > at):
        learner.take(Recorded(brain.decode(stored.topic, stored.state), stored.position, stored.at, stored.cause))
    if not learner.is_participant:
        raise click.ClickException(f"{participant} was no participant at {utc(at)}. See `tps participants list`.")
    return learner.learned(await store.history.received_from(me, at)), Names(settings)


def _told(knowledge: Knowledge, names: Names) -> Iterator[str]:
    yield f"What {names(knowledge.participant)} knew at {utc(knowledge.at)}"
    if knowledge.recorded:
        yield f"  The log up to position {knowledge.position}, recorded {utc(knowledge.recorded)}"
    for view in knowledge.views:
        yield ""
        yield from _view(view, knowledge.at)
    yield ""
    yield f"Documents made for it: {len(knowledge.documents)}{_shown_of(knowledge.documents)}"
    for document in knowledge.documents[-SHOWN:]:
        yield f"  {_document(document)}"
    yield ""
    yield f"Documents that had come from it: {len(knowledge.received)}{_shown_of(knowledge.received)}"
    for received in knowledge.received[-SHOWN:]:
        yield f"  {utc(received.received)}  {received.business_type:<14}  {received.document}  sha256 {received.digest}"


def _view(view: View, at: Instant) -> Iterator[str]:
    """What still counts at the instant, the newest rows; the rest is for programs."""
    said = " (what it said itself, as the hub had it)" if not view.is_sent else ""
    standing = [row for row in view.rows if row.at_hub.valid is None or row.at_hub.valid.end > at]
    ended = len(view.rows) - len(standing)
    left_out = f", {ended} more have ended (--json)" if ended else ""
    yield f"{view.view}: {len(standing)} rows{said}{left_out}{_shown_of(standing)}"
    newest = sorted(standing, key=lambda row: row.at_hub.position)[-SHOWN:]
    for row in sorted(newest, key=lambda row: row.key):
        yield from _row(row, view)


def _shown_of(things: Sequence[object]) -> str:
    return f", the newest {SHOWN} (all: --json)" if len(things) > SHOWN else ""


def _row(row: KnownRow, view: View) -> Iterator[str]:
    yield f"  {row.key}  {wording.row(row.at_hub.payload)}"
    if not view.is_sent:
        return
    yield f"    {_reached(row.at_hub)}"
    if row.known and row.known != row.at_hub and row.known.confirmed:
        yield f"    it still knew: {wording.row(row.known.payload)}, confirmed {utc(row.known.confirmed)}"


def _reached(version: Version) -> str:
    if version.confirmed:
        return f"known: confirmed {utc(version.confirmed)}"
    if version.sent:
        return f"NOT KNOWN: sent {utc(version.sent)}, not confirmed yet"
    return "NOT KNOWN: decided by the hub, not sent yet"


def _document(document: SentDocument) -> str:
    since = document.confirmed or document.delivered
    state = STATES[document.state] + (f" {utc(since)}" if since else "")
    collected = f", collected {utc(document.collected)}" if document.collected else ""
    digest = f"  sha256 {document.digest}" if document.digest else ""
    return f"{utc(document.accepted)}  {document.business_type:<14}  {document.document}  {state}{collected}{digest}"


def _narrated(story: Story, names: Names) -> Iterator[str]:
    yield f"Document {story.document} of {names(story.sender) if story.sender else 'the hub'}"
    for entry in story.entries:
        yield from _entry(entry, "  ")
    if story.made_of:
        yield "  It tells of what these led to (SENDER/MRID):"
        yield from (f"    {cause}" for cause in story.made_of)
    for leg in story.legs:
        yield ""
        yield f"  {leg.business_type} {leg.document} to {names(leg.receiver)}: {leg.state}"
        yield f"    message {leg.message_id}"
        if leg.digest:
            yield f"    sha256 of the document {leg.digest}"
        for entry in leg.entries:
            yield from _entry(entry, "    ")


def _entry(entry: Entry, indent: str) -> Iterator[str]:
    where = f"  [position {entry.position}]" if entry.position else ""
    yield f"{indent}{utc(entry.at):<24}  {entry.text}{where}"
    for what, digest in entry.digests.items():
        yield f"{indent}{'':<24}  sha256 of the {what} {digest}"
