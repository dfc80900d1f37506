"""Who follows the changes: one open stream for each page that is looked at, ended with its session (floor 7; F3).

A stream holds the names of views that have changed and nothing else, so one that nobody reads does not grow.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

PING_S: Final = 5.0
STREAMS_MOST: Final = 100
HELLO: Final = b"retry: 1000\nevent: hello\ndata: {}\n\n"
PING: Final = b"event: ping\ndata: {}\n\n"


class Stream:
    """What one page has not been told yet."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.has_ended = False
        self._changed: set[str] = set()
        self._bell = asyncio.Event()

    def tell(self, view: str) -> None:
        """A view has changed."""
        self._changed.add(view)
        self._bell.set()

    def end(self) -> None:
        """There is no more to come."""
        self.has_ended = True
        self._bell.set()

    async def parts(self) -> AsyncIterator[bytes]:
        """What to write: all that has changed at once, or a ping after 5 s: the line stands."""
        yield HELLO
        while True:
            try:
                async with asyncio.timeout(PING_S):
                    await self._bell.wait()
            except TimeoutError:
                yield PING
                continue
            self._bell.clear()
            if self.has_ended:
                return
            changed, self._changed = sorted(self._changed), set()
            yield b"event: changed\ndata: " + msgspec.json.encode(changed) + b"\n\n"


class Streams:
    """All that are open."""

    def __init__(self) -> None:
        self._open: set[Stream] = set()

    @property
    def is_full(self) -> bool:
        """Whether no more may be opened."""
        return len(self._open) >= STREAMS_MOST

    @contextmanager
    def opened(self, session: str) -> Iterator[Stream]:
        """One more for as long as the block lasts."""
        stream = Stream(session)
        self._open.add(stream)
        try:
            yield stream
        finally:
            self._open.discard(stream)

    def tell(self, view: str) -> None:
        """Tell everybody that a view has changed."""
        for stream in self._open:
            stream.tell(view)

    def end(self, session: str | None = None) -> None:
        """End the streams of a session, or all: else each would hold up the stop of the process."""
        for stream in self._open:
            if session is None or stream.session == session:
                stream.end()
