"""A command of ours as a process of its own: started, started again when it dies, and ended with us (floor 7)."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import aiohttp
import structlog

from hub.errors import Unavailable
from hub.store.lifetime import die_with_parent

TPS: Final = Path(sys.executable).with_name("tps")
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 20.0
RESTART_S: Final = 0.5
LOOK_S: Final = 0.05

log = structlog.get_logger("gateways.demo")


class Child:
    """`tps` with these words, on these settings; what it says goes to `<folder>/log`.

    `run` keeps it running until `stop`. One that ends by itself, or is killed, is started again, as the supervisor of a
    production system does.
    """

    def __init__(self, name: str, *words: str, folder: Path, ready_url: str | None = None) -> None:
        self.name, self._words, self._folder, self._ready_url = name, words, folder, ready_url
        self._process: asyncio.subprocess.Process | None = None
        self._is_stopping = False
        self.starts = 0

    @property
    def pid(self) -> int:
        """Process id of the present incarnation."""
        assert self._process is not None, "not started"
        return self._process.pid

    async def run(self) -> None:
        """Start it, and start it again whenever it ends, until `stop`."""
        while not self._is_stopping:
            await self._start()
            assert self._process is not None
            code = await self._process.wait()
            if not self._is_stopping:
                log.warning("child.ended", name=self.name, code=code, restart_s=RESTART_S)
                await asyncio.sleep(RESTART_S)

    async def stop(self) -> None:
        """End it in good order."""
        self._is_stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            log.error("child.killed", name=self.name, waited_s=STOP_TIMEOUT_S)
            self._process.kill()
            await self._process.wait()

    def kill(self) -> None:
        """As a power cut would."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None, "not started"
        self._process.send_signal(number)

    async def ready(self) -> None:
        """Wait until it takes work.

        Raises:
            Unavailable: it does not within a minute; the message holds the end of its log.
        """
        assert self._ready_url is not None
        try:
            async with asyncio.timeout(START_TIMEOUT_S), aiohttp.ClientSession() as session:
                while not await _answers(session, self._ready_url):  # noqa: ASYNC110 # it has no way to tell us
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            raise Unavailable(f"{self.name} does not start: {self._last_words()}") from error

    async def _start(self) -> None:
        with (self._folder / "log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                TPS,
                "--settings",
                self._folder / "settings.toml",
                *self._words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A session of its own, so that ctrl-C reaches us alone and everything ends in order.
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        self.starts += 1
        log.info("child.started", name=self.name, pid=self._process.pid)

    def _last_words(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-800:]


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.ok
    except (aiohttp.ClientError, OSError):
        return False
