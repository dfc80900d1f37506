"""The trail of documents, newest first, and one document as it came (floor 7; F3, R26). Read from its feed."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from lxml import etree

from documents.values import Identifier
from hub.ports import Item, RowReader
from hub.rows import DOCUMENT_TRAIL, TrailEntry
from hub.web.answers import DocumentLine, DocumentPage, Documents, DocumentStory
from hub.web.snapshot import SCOPE, upto

CHUNK: Final = 500
SEARCHED_MOST: Final = 20_000
SHOWN_BYTES: Final = 2 * 1024**2

Payload = Callable[[str], Awaitable[bytes | None]]
Story = Callable[[Identifier, str], Awaitable[DocumentStory]]
"""(sender, mRID) -> what became of the document."""


async def page(
    rows: RowReader, at: datetime | None, *, query: str = "", before: int | None = None, limit: int = 50
) -> tuple[list[DocumentLine], int | None]:
    """Documents judged by `at` that hold the words of a query, and before which sequence to go on; None: that is all.

    Raises Unavailable.
    """
    last = await upto(rows, DOCUMENT_TRAIL, at) if at else await rows.head(SCOPE, DOCUMENT_TRAIL)
    high = min(last, before - 1) if before else last
    floor, found = max(high - SEARCHED_MOST, 0), list[DocumentLine]()
    while high > floor:
        low = max(high - CHUNK, 0)
        for item in reversed(await rows.feed(SCOPE, DOCUMENT_TRAIL, after=low, limit=high - low)):
            line = _line(item)
            if line and _holds(line, query):
                found.append(line)
                if len(found) == limit:
                    return found, line.sequence if line.sequence > 1 else None
        high = low
    return found, floor + 1 if floor else None


async def document(
    rows: RowReader, payload: Payload, story: Story, *, sequence: int, now: datetime
) -> DocumentPage | None:
    """One document of the trail; None when there is none. Raises Unavailable."""
    items = await rows.feed(SCOPE, DOCUMENT_TRAIL, after=sequence - 1, limit=1) if sequence > 0 else ()
    line = _line(items[0]) if items else None
    if line is None or items[0].payload is None:
        return None
    digest = msgspec.msgpack.decode(items[0].payload, type=TrailEntry).digest
    content = await payload(digest)
    return DocumentPage(
        as_of=now,
        document=line,
        digest=digest,
        story=await story(line.sender, line.mrid),
        xml=_laid_out(content) if content else None,
    )


def answer(now: datetime, lines: Sequence[DocumentLine], before: int | None) -> Documents:
    """A page as it is told."""
    return Documents(as_of=now, documents=list(lines), before=before)


def _line(item: Item) -> DocumentLine | None:
    if item.payload is None:
        return None
    entry = msgspec.msgpack.decode(item.payload, type=TrailEntry)
    return DocumentLine(
        key=item.key,
        sequence=item.sequence,
        sender=entry.sender,
        mrid=entry.mrid,
        revision=entry.revision,
        type=entry.type,
        business_type=entry.business_type,
        verdict=entry.verdict,
        reasons=entry.reasons,
        created=entry.created,
        judged=item.issued,
    )


def _holds(line: DocumentLine, query: str) -> bool:
    text = " ".join([line.sender, line.mrid, line.business_type, line.verdict, *(one.code for one in line.reasons)])
    return all(word in text.casefold() for word in query.casefold().split())


def _laid_out(content: bytes) -> str:
    """The document with an element a line; as it came where that cannot be done."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True, huge_tree=False
    )
    try:
        tree = etree.fromstring(content[:SHOWN_BYTES], parser) if len(content) <= SHOWN_BYTES else None
    except etree.XMLSyntaxError:
        tree = None
    if tree is None:
        return content[:SHOWN_BYTES].decode(errors="replace")
    return etree.tostring(tree, pretty_print=True, encoding="unicode")
