"""The way to the component directory: pull its content on start, regularly, and when somebody unknown turns up
(floor 5; MADES 4.6.4).

    client = DirectoryClient("https://directory.example:8443", copy=copy, folder=folder, clock=clock, jitter=...)
    await client.sync()                                   # once, and tell how it went
    group.create_task(client.run(), name="directory")     # every 5 minutes, +-10 %

An outage is no error: the copy stays in use until its time to live is over.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from hub.directory.calls import SIGNATURE, SIGNED_BY, SyncRequest
from hub.directory.values import Configuration
from hub.errors import Rejected, Unavailable
from hub.mades import credentials, enrolment, pki
from hub.mades.directory_copy import DirectoryCopy, answer_of
from hub.mades.errors import MadesError
from hub.mades.https import Reply, call
from hub.ports import Clock

COPY: Final = "directory.json"
PERIOD_S: Final = 300.0
SPREAD: Final = 0.1
FORCED_PAUSE_S: Final = 10.0
"""A stranger cannot make us ask more often than this."""

log = structlog.get_logger("hub.mades.directory")


class DirectoryClient:
    """See the module's charter. `trouble` says what was wrong with the last sync, None when nothing was."""

    def __init__(
        self,
        url: str,
        *,
        copy: DirectoryCopy,
        folder: Path,
        clock: Clock,
        jitter: Callable[[], float],
        period_s: float = PERIOD_S,
        renewed: Callable[[], None] = lambda: None,
    ) -> None:
        """`folder` holds the component's credentials; `jitter` gives numbers from -1 to 1 (tests: always 0)."""
        self.copy, self._url, self._folder, self._clock = copy, url.rstrip("/"), folder, clock
        self._jitter, self._period_s, self._renewed = jitter, period_s, renewed
        self._turn = asyncio.Lock()
        self._last_forced_s: dict[str, float] = {}
        self.trouble: str | None = "The directory was not asked yet."

    async def run(self) -> None:
        """Ask now and then regularly, until cancelled, and renew our certificates when they end soon.

        What goes wrong is logged and tried again.
        """
        while True:
            if await self.sync():
                await self.look_after_certificates()
            await self._clock.sleep(self._period_s * (1 + SPREAD * self._jitter()))

    async def sync(self) -> bool:
        """Ask once; whether the copy is now what the directory says. Does not raise: see `trouble`."""
        async with self._turn:
            try:
                changed = await self._pull()
            except (Unavailable, MadesError, Rejected, pki.CertificateRefused) as error:
                self.trouble = str(error)
                log.warning("directory.not_synchronised", content_id=self.copy.content_id, error=str(error))
                return False
        self.trouble = None
        if changed:
            log.info("directory.synchronised", content_id=self.copy.content_id, components=len(self.copy.codes))
        return True

    async def force(self, partner: str) -> bool:
        """Ask out of turn, because this partner or its certificate is not in the copy; whether it was asked.

        At most once in ten seconds for each: a partner that is refused for good cannot make us ask all the time.
        Who comes while the answer is on its way waits for it too.
        """
        now_s = self._clock.monotonic()
        if now_s - self._last_forced_s.get(partner, -FORCED_PAUSE_S) < FORCED_PAUSE_S:
            async with self._turn:
                return False
        recent = {code: at_s for code, at_s in self._last_forced_s.items() if now_s - at_s < FORCED_PAUSE_S}
        self._last_forced_s = recent | {partner: now_s}
        return await self.sync()

    async def look_after_certificates(self) -> bool:
        """Retire those of ours that the directory lists no longer, renew those that end soon; whether ours changed.

        `renewed` is called then: who signs or decrypts takes its keys from the folder again.
        """
        try:
            retired = await asyncio.to_thread(credentials.retire, self._folder, self.copy.withdrawn)
            renewed = await enrolment.renew(self._folder, self._url, at=self._clock.now())
        except (OSError, Unavailable, Rejected, pki.CertificateRefused) as error:
            log.warning("certificates.not_renewed", error=str(error))
            return False
        if retired or renewed:
            log.info("certificates.changed", retired=retired, renewed=renewed)
            self._renewed()
        return retired or renewed

    async def configure(self, configuration: Configuration) -> None:
        """Say where and how this component is reached. Raises Unavailable, Rejected, CertificateRefused."""
        body = msgspec.json.encode(configuration)
        await self._call("PUT", f"/components/{self.copy.code}/configuration", body)

    async def _pull(self) -> bool:
        asked = SyncRequest(known=tuple(self.copy.known))
        reply = await self._call("POST", "/sync", msgspec.json.encode(asked))
        signature, certificate = reply.headers.get(SIGNATURE, ""), reply.headers.get(SIGNED_BY, "")
        return self.copy.take(answer_of(reply.body, signature=signature, certificate=certificate))

    async def _call(self, method: str, path: str, body: bytes) -> Reply:
        context = credentials.load(self._folder).client_context(self._clock.now())
        return await call(method, self._url + path, body, context=context)


def client_in(
    folder: Path, *, clock: Clock, jitter: Callable[[], float], renewed: Callable[[], None] = lambda: None
) -> DirectoryClient:
    """The client of the component whose credentials, `component.json` and copy (`directory.json`) are in a folder.

    Raises CertificateRefused, OSError, msgspec.DecodeError: the folder is not one that a registration has left.
    """
    held, told = credentials.load(folder), enrolment.component_in(folder)
    copy = DirectoryCopy(
        told.code,
        directory=told.directory,
        root=held.root,
        issuing=held.issuing,
        file=folder / COPY,
        clock=clock,
    )
    return DirectoryClient(told.directory_url, copy=copy, folder=folder, clock=clock, jitter=jitter, renewed=renewed)
