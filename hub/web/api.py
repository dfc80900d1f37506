"""The answers of the operator's pages over HTTP: which time, which window, which participant is meant (floor 7; F3)."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypedDict, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from documents.values import Identifier, Interval
from hub.errors import Unavailable
from hub.feed import Feed
from hub.ports import Clock, MessageStatus, RowReader
from hub.rows import (
    LIMIT_CONTENTS,
    OPERATOR_LIMITS,
    PARTICIPANTS,
    LimitContent,
    LimitCopy,
    OperatorLimit,
    Participant,
)
from hub.web import effects, trail, views
from hub.web.answers import CopyLine, Session, Tried, Waiting
from hub.web.picture import LONGEST, Picture, Pictures, limit_line
from hub.web.snapshot import SCOPE, Present, Snapshot, snapshot_at
from hub.web.trial import Refusal, Trial

B = TypeVar("B")

PASTS_KEPT: Final = 4
YEARS: Final = range(2000, 2200)
DIGITS: Final = 18
PAGE_MOST: Final = 500
QUERY_MOST: Final = 200
BODY_S: Final = 20.0
LOOK_AHEAD: Final = timedelta(hours=48)
AROUND: Final = timedelta(hours=2)
DOCUMENTS_SHOWN: Final = 12


class Messages(Protocol):
    """What the pages ask of the outbox."""

    async def status(self, document: str) -> Sequence[MessageStatus]:
        """Status and trace of every message that carried this document."""

    async def waiting(self) -> int:
        """How many business messages are not delivered yet."""

    async def oldest(self) -> datetime | None:
        """When the oldest of those was accepted."""


class Sources(Struct, frozen=True, kw_only=True):
    """What the pages are made from: rows of the operator, messages' states, payloads by digest, and the hub's word."""

    hub: Identifier
    zone: str
    rows: RowReader
    feed: Feed
    messages: Messages
    payload: trail.Payload
    story: trail.Story
    trouble: Callable[[], str | None]
    trial: Callable[[Trial], LimitContent | Refusal]
    clock: Clock


class Api:
    """Answers from the present that it is given, or from the past. Raises HTTPException for what cannot be asked."""

    def __init__(self, sources: Sources, present: Callable[[], Present]) -> None:
        self._of, self._present = sources, present
        self._pictures = Pictures()
        self._pasts: dict[datetime, Snapshot] = {}
        self._looking_back = asyncio.Lock()

    def routes(self) -> Sequence[web.RouteDef]:
        """Routes to add to an application."""
        return [
            web.get("/api/session", self._session),
            web.get("/api/overview", self._overview),
            web.get("/api/people", self._people),
            web.get("/api/agrs/{id}", self._agr),
            web.get("/api/dsos/{id}", self._dso),
            web.get("/api/limits/{dso}/{mrid}", self._limit),
            web.get("/api/implications", self._implications),
            web.get("/api/documents", self._documents),
            web.get("/api/document", self._document),
            web.get("/api/assets", self._assets),
            web.get("/api/points", self._points),
            web.post("/api/what-if", self._what_if),
        ]

    async def _session(self, _: web.Request) -> web.Response:
        first = await self._of.rows.feed(SCOPE, PARTICIPANTS, limit=1)
        began = first[0].issued if first else None
        return json(Session(hub=self._of.hub, zone=self._of.zone, began=began, now=self._of.clock.now()))

    async def _people(self, request: web.Request) -> web.Response:
        return json(views.people(await self._snapshot(request)))

    async def _overview(self, request: web.Request) -> web.Response:
        snapshot, now = await self._snapshot(request), self._now(request)
        window = _quarters(Interval(now - timedelta(hours=2), now + LOOK_AHEAD))
        picture = await self._pictures.of(snapshot, window)
        page = await asyncio.to_thread(views.overview, snapshot, picture, now)
        page.waiting = await self._waiting() if snapshot.at is None else None
        page.documents, _ = await trail.page(self._of.rows, now if snapshot.at else None, limit=DOCUMENTS_SHOWN)
        return json(page)

    async def _agr(self, request: web.Request) -> web.Response:
        snapshot, now = await self._snapshot(request), self._now(request)
        agr, picture = _participant(snapshot, request), await self._picture(snapshot, request)
        asset = request.query.get("asset", "")
        return json(await asyncio.to_thread(views.agr_page, snapshot, picture, agr, now, asset=asset))

    async def _dso(self, request: web.Request) -> web.Response:
        snapshot, now = await self._snapshot(request), self._now(request)
        dso, picture = _participant(snapshot, request), await self._picture(snapshot, request)
        return json(await asyncio.to_thread(views.dso_page, snapshot, picture, dso, now))

    async def _limit(self, request: web.Request) -> web.Response:
        snapshot, now = await self._snapshot(request), self._now(request)
        key = f"{request.match_info['dso']}/{request.match_info['mrid']}"
        line, content = limit_line(snapshot, key, now), snapshot.get(LIMIT_CONTENTS, key, LimitContent)
        limit = snapshot.get(OPERATOR_LIMITS, key, OperatorLimit)
        if line is None or content is None or limit is None:
            raise web.HTTPNotFound(text="There is no such limit at this time.")
        page = await asyncio.to_thread(effects.limit_page, snapshot, line, content, _around(content.interval, now), now)
        having = effects.concerned(content, snapshot)
        page.copies = [await self._copy(copy, having, snapshot) for copy in limit.copies]
        return json(page)

    async def _implications(self, request: web.Request) -> web.Response:
        snapshot, now = await self._snapshot(request), self._now(request)
        return json(views.implications(await self._picture(snapshot, request), now))

    async def _documents(self, request: web.Request) -> web.Response:
        at = _at(request)
        lines, before = await trail.page(
            self._of.rows,
            at,
            query=_query(request),
            before=_number(request, "before", 0, 2**53) or None,
            limit=_number(request, "limit", 50, PAGE_MOST),
        )
        return json(trail.answer(self._now(request), lines, before))

    async def _document(self, request: web.Request) -> web.Response:
        found = await trail.document(
            self._of.rows,
            self._of.payload,
            self._of.story,
            sequence=_number(request, "sequence", 0, 2**53),
            now=self._now(request),
        )
        if found is None:
            raise web.HTTPNotFound(text="There is no such document.")
        return json(found)

    async def _assets(self, request: web.Request) -> web.Response:
        snapshot, now = await self._snapshot(request), self._now(request)
        window = _quarters(Interval(now, now + LOOK_AHEAD))
        return json(await asyncio.to_thread(views.asset_page, snapshot, window, now, **_paging(request)))

    async def _points(self, request: web.Request) -> web.Response:
        snapshot, now = await self._snapshot(request), self._now(request)
        return json(await asyncio.to_thread(views.point_page, snapshot, now, **_paging(request)))

    async def _what_if(self, request: web.Request) -> web.Response:
        """What a limit would do now. The hub decides it as it would, and nothing of that is kept."""
        content = self._of.trial(await body(request, Trial))
        if isinstance(content, Refusal):
            return json(Tried(taken=False, reasons=content.reasons))
        snapshot, now = self._present_rows(), self._of.clock.now()
        window = _around(content.interval, now)
        return json(await asyncio.to_thread(effects.tried, snapshot, content, window, now))

    async def _snapshot(self, request: web.Request) -> Snapshot:
        at = _at(request)
        if at is None or at >= self._of.clock.now():
            return self._present_rows()
        # One look back at a time: a page asks several questions about the same instant at once.
        async with self._looking_back:
            past = self._pasts.pop(at, None) or await snapshot_at(self._of.rows, at)
            self._pasts[at] = past
            while len(self._pasts) > PASTS_KEPT:
                del self._pasts[next(iter(self._pasts))]
            return past

    def _present_rows(self) -> Snapshot:
        """The rows as they are. Raises Unavailable: half of them would look as if all were well."""
        present = self._present()
        if not present.is_loaded:
            raise Unavailable("The hub is reading its rows. Wait a moment.")
        return present.snapshot

    def _now(self, request: web.Request) -> datetime:
        now = self._of.clock.now()
        at = _at(request)
        return min(at, now) if at else now

    async def _picture(self, snapshot: Snapshot, request: web.Request) -> Picture:
        return await self._pictures.of(snapshot, _window(request, self._now(request)))

    async def _waiting(self) -> Waiting:
        oldest = await self._of.messages.oldest()
        return Waiting(messages=await self._of.messages.waiting(), oldest=oldest, trouble=self._of.trouble())

    async def _copy(self, copy: LimitCopy, concerned: set[Identifier], snapshot: Snapshot) -> CopyLine:
        messages = list(await self._of.messages.status(copy.mrid)) if snapshot.at is None else []
        return CopyLine(
            audience=copy.audience,
            concerned=copy.audience in concerned,
            mrid=copy.mrid,
            revision=copy.revision,
            collected=copy.collected,
            messages=messages,
        )


async def body(request: web.Request, type_: type[B], *, most: int | None = None) -> B:
    """The JSON of a request, of `most` bytes. Raises HTTPException for one that is too long, too slow, or another."""
    limited = request.clone(client_max_size=most) if most else request
    try:
        async with asyncio.timeout(BODY_S):
            return msgspec.json.decode(await limited.read(), type=type_)
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(text=f"The request did not come within {BODY_S:.0f} s. Send it again.") from error
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=f"The request cannot be read: {error}.") from error


def json(answer: Any) -> web.Response:  # any Struct, or a list of them
    """An answer on its way."""
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _around(span: Interval, now: datetime) -> Interval:
    """A span with something before and after; of a long one as much as can be counted at once, about the present."""
    first, last = max(span.start, now - 3 * LONGEST) - AROUND, span.end + AROUND
    start = max(first, min(now - LONGEST / 2, last - LONGEST))
    return _quarters(Interval(start, min(last, start + LONGEST)))


def _quarters(span: Interval) -> Interval:
    """Widened to whole hours, so that what is counted stays the same for a while."""
    hour = timedelta(hours=1)
    start = datetime.fromtimestamp(span.start.timestamp() // 3600 * 3600, UTC)
    return Interval(start, start + -((start - span.end) // hour) * hour)


def _at(request: web.Request) -> datetime | None:
    return _instant(request, "at")


def _window(request: web.Request, now: datetime) -> Interval:
    """What is looked at: two days from the present hour, unless the request says `from` and `to`."""
    start, end = _instant(request, "from"), _instant(request, "to")
    if start is None or end is None:
        return _quarters(Interval(now, now + LOOK_AHEAD))
    if not start < end <= start + LONGEST:
        raise web.HTTPBadRequest(text=f"The window must end after it begins, and last {LONGEST.days} days at most.")
    return Interval(start, end)


def _instant(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{name} is {text!r}. Give an instant such as 2026-11-24T12:00:00Z.") from error
    if found.tzinfo is None:
        raise web.HTTPBadRequest(text=f"{name} is {text!r}, without a zone. Give an instant in UTC, ending in Z.")
    if found.year not in YEARS:
        raise web.HTTPBadRequest(text=f"{name} is {text!r}. Give an instant from {YEARS[0]} to {YEARS[-1]}.")
    return found.astimezone(UTC)


def _number(request: web.Request, name: str, otherwise: int, most: int) -> int:
    text = request.query.get(name, str(otherwise))
    if not text.isdecimal() or len(text) > DIGITS or int(text) > most:
        raise web.HTTPBadRequest(text=f"{name} is {text!r}. Give a whole number up to {most}.")
    return int(text)


def _participant(snapshot: Snapshot, request: web.Request) -> Participant:
    found = snapshot.get(PARTICIPANTS, request.match_info["id"], Participant)
    if found is None:
        raise web.HTTPNotFound(text="There is no such participant at this time.")
    return found


def _query(request: web.Request) -> str:
    """Words to search for; each is looked for in every row, so there may not be many."""
    text = request.query.get("q", "")
    if len(text) > QUERY_MOST:
        raise web.HTTPBadRequest(text=f"The search has {len(text)} characters. Give {QUERY_MOST} at most.")
    return text


class _Paging(TypedDict):
    query: str
    after: str
    limit: int


def _paging(request: web.Request) -> _Paging:
    return {
        "query": _query(request),
        "after": request.query.get("after", ""),
        "limit": _number(request, "limit", 50, PAGE_MOST),
    }
