"""Every version replays the golden logs of all versions before it to the same rows and the same documents."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, get_args

import pytest

from documents import registry
from documents.errors import DocumentError
from hub import app, events, intake, rows
from hub.clock import ManualClock
from hub.commands import RefuseDocument
from hub.history.happenings import happened
from hub.ports import OPERATOR, OutgoingMessage, Recorded, Row, StoredEvent
from hub.store.codec import verified
from hub.version import VERSION
from tests.golden.hub import Left, dispatch_of, envelope_of
from tests.golden.log import Golden, line, load, played
from tests.hub_world import NOON
from tests.system import MARKET

FOLDERS: Final = sorted(path.parent for path in Path(__file__).parent.glob("*/log.jsonl"))
VIEWS: Final = {value for name, value in vars(rows).items() if name.isupper() and isinstance(value, str)} - {OPERATOR}


@pytest.fixture(params=FOLDERS, ids=[folder.name for folder in FOLDERS])
def golden(request: pytest.FixtureRequest) -> Golden:
    """What one version wrote."""
    return load(request.param)


def replayed(log: tuple[StoredEvent, ...]) -> list[tuple[int, Row]]:
    """The rows the present version makes of a log."""
    brain, made = app.brain_of(MARKET), list[tuple[int, Row]]()
    for stored in log:
        recorded = Recorded(brain.decode(stored.topic, stored.state), stored.position, stored.at, stored.cause)
        made.extend((stored.position, row) for row in brain.rows(recorded))
        brain.evolve(recorded)
    return made


async def flowing(log: tuple[StoredEvent, ...]) -> AsyncIterator[StoredEvent]:
    for event in log:
        yield event


def views(lines: list[bytes] | tuple[bytes, ...]) -> set[str]:
    return {json.loads(each)["view"] for each in lines}


def test_the_present_version_has_a_golden_log() -> None:
    assert VERSION in [folder.name for folder in FOLDERS], "write it with `make golden`"


def test_a_golden_log_replays_to_the_same_rows(golden: Golden) -> None:
    """Views that later versions add tell more of the same events; those there were tell the same."""
    known = views(golden.rows)

    again = [line(position, row) for position, row in replayed(golden.events)]

    assert [each for each in again if json.loads(each)["view"] in known] == list(golden.rows)


async def test_the_chain_of_a_golden_log_holds(golden: Golden) -> None:
    assert [event.position async for event in verified(flowing(golden.events))] == [
        event.position for event in golden.events
    ]


async def test_the_same_documents_are_made_of_the_rows_byte_for_byte(golden: Golden) -> None:
    store = app.memory_store(MARKET)
    rows_left, made = replayed(golden.events), list[bytes]()
    clock = ManualClock(NOON)
    dispatch = dispatch_of(store, clock)
    at = {event.position: event.at for event in golden.events}
    for left in golden.left:
        while rows_left and rows_left[0][0] <= left.position:
            position, row = rows_left.pop(0)
            store.rows.append(position, row, at[position])
        await clock.advance((left.at - clock.now()).total_seconds())
        made.extend((await dispatch.render([outgoing(left)])).values())

    assert made == [left.content for left in golden.left]


def outgoing(left: Left) -> OutgoingMessage:
    """The message of a document that left."""
    return OutgoingMessage(
        message_id=left.message_id,
        internal_type="STANDARD_MESSAGE",
        receiver=left.receiver,
        business_type=left.business_type,
        document=left.document,
        urgent=False,
        accepted=left.at,
        expires=left.at,
        source=left.source,
    )


def test_every_document_reads_back_and_is_written_byte_for_byte(golden: Golden) -> None:
    unreadable = []
    for content in [*(one.content for one in golden.came), *(one.content for one in golden.left)]:
        try:
            document = registry.read(content)
        except DocumentError:
            unreadable.append(content)
            continue
        assert registry.render(document) == content

    assert unreadable == [b"<no-document/>"]


def test_every_document_that_came_is_the_one_the_log_names_and_is_taken_in_as_before(golden: Golden) -> None:
    states = b"".join(event.state for event in golden.events)
    for came in golden.came:
        command = intake.read(came.content, envelope=envelope_of(came), hub=app.hub_id(MARKET))

        digest = hashlib.sha256(came.content).hexdigest()
        assert getattr(command, "origin").digest == digest  # noqa: B009 - each command that came has one
        assert isinstance(command, RefuseDocument) == (came.content == b"<no-document/>")
        assert digest.encode() in states or came.business_type == "TPS-ACK"


def test_the_golden_logs_hold_every_kind_of_event_and_every_view() -> None:
    brain = app.brain_of(MARKET)
    logs = [load(folder) for folder in FOLDERS]

    kinds = {type(brain.decode(event.topic, event.state)) for log in logs for event in log.events}

    assert kinds == set(get_args(events.Event))
    assert set.union(*(views(log.rows) for log in logs)) == VIEWS


def test_every_event_of_a_golden_log_can_be_told_in_words(golden: Golden) -> None:
    brain = app.brain_of(MARKET)

    told = [happened(brain.decode(event.topic, event.state)) for event in golden.events]

    assert all(told)


async def test_the_day_is_the_same_each_time_it_is_played() -> None:
    assert await played() == await played()
