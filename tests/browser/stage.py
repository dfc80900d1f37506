"""The demo and a window on it: what a person does and sees, in a few words."""

import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from aiohttp import ClientSession
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from gateways.demo.day import ZONE
from tests.demo_process import TPS, DemoProcess

SIZE: Final = {"width": 1440, "height": 900}
PATIENCE_MS: Final = 20_000
LOST: Final = (
    "ERR_CONNECTION_REFUSED",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "ERR_CONNECTION_RESET",
    "ERR_EMPTY_RESPONSE",
)
"""What a browser says by itself of a server that is away."""


class Stage:
    """A demo on fixed ports and a folder of its own, so that it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, _free_base()
        self._process: DemoProcess | None = None

    def start(self) -> None:
        """Start it and wait until its day is played; it may have been played before."""
        self._process = DemoProcess([str(TPS), "demo", "--port", str(self._port)], self._folder)
        self._process.wait_for("Serving until")

    def kill(self) -> None:
        """As a power cut would."""
        assert self._process is not None, "started"
        self._process.kill()
        self._process.close()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It hangs for as long as the block lasts: nothing breaks, and nothing answers."""
        assert self._process is not None, "started"
        self._process.freeze()
        try:
            yield
        finally:
            self._process.thaw()

    def stop(self) -> None:
        """Be gone."""
        if self._process is not None:
            self._process.close()

    @property
    def told(self) -> Mapping[str, str]:
        """Addresses, tokens and the operator's password, as the demo wrote them down."""
        lines = (self._folder / ".demo" / "env").read_text().splitlines()
        return dict(line.removeprefix("export ").split("=", 1) for line in lines)

    async def send(self, who: str, method: str, path: str, body: Any) -> Any:  # JSON both ways
        """What a participant's own system does over REST, waiting for the verdict."""
        headers = {"Authorization": f"Bearer {self.told[f'{who}_TOKEN']}", "Prefer": "wait=30"}
        async with (
            ClientSession() as session,
            session.request(method, self.told[who] + path, json=body, headers=headers) as answer,
        ):
            assert answer.status < 300, await answer.text()
            return await answer.json()


class Window:
    """One browser window on the operator's pages."""

    def __init__(self, page: Page, stage: Stage) -> None:
        self.page, self._stage = page, stage
        self._said: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._said.append(str(error)))
        page.set_default_timeout(PATIENCE_MS)

    @classmethod
    @asynccontextmanager
    async def opened(cls, browser: Browser, stage: Stage, scheme: str = "light") -> AsyncIterator[Self]:
        """A window of its own, logged in, on the overview."""
        async with cls.opened_at(browser, stage, stage.told["PAGES"], scheme) as window:
            await window.log_in()
            yield window

    @classmethod
    @asynccontextmanager
    async def opened_at(cls, browser: Browser, stage: Stage, url: str, scheme: str = "light") -> AsyncIterator[Self]:
        """A window of its own at an address."""
        context = await browser.new_context(
            viewport=SIZE,  # type: ignore[arg-type] # a dict of the two is what it takes
            color_scheme="dark" if scheme == "dark" else "light",
            locale="en-GB",
            timezone_id="America/New_York",
        )
        try:
            window = cls(await context.new_page(), stage)
            await window.page.goto(url)
            yield window
        finally:
            await context.close()

    async def log_in(self, password: str | None = None) -> None:
        """Open the pages and give the password."""
        await self.page.goto(self._stage.told["PAGES"])
        await self.page.get_by_label("Password").fill(password or self._stage.told["OPERATOR_PASSWORD"])
        await self.page.get_by_role("button", name="Log in").click()
        if password is None:
            await self.sees("limits active")

    async def open(self, view: str) -> None:
        """Choose a view in the navigation."""
        await self.page.get_by_role("navigation").get_by_role("link", name=view, exact=True).click()
        await expect(self.page).to_have_title(f"{view} · Trade Permission System", timeout=PATIENCE_MS)

    async def sees(self, text: str) -> None:
        """Wait until a text can be seen."""
        await expect(self.page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)

    async def sees_no(self, text: str) -> None:
        """Wait until a text cannot be seen."""
        await expect(self.page.get_by_text(text)).to_have_count(0, timeout=PATIENCE_MS)

    async def rows(self, caption: str) -> list[list[str]]:
        """The cells of a table as they are read."""
        table = self.page.get_by_role("table", name=caption, exact=True)
        await expect(table).to_be_visible(timeout=PATIENCE_MS)
        rows: list[list[str]] = await table.evaluate(
            "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        )
        return rows

    async def stretches(self, selector: str) -> list[tuple[str, str, int]]:
        """Marks of a chart as (local start, local end, watts): their numbers stand in the document."""
        await expect(self.page.locator(selector).first).to_be_visible(timeout=PATIENCE_MS)
        marks = await self.page.locator(selector).evaluate_all(
            "marks => marks.map(mark => [+mark.dataset.from, +mark.dataset.to, +mark.dataset.w])"
        )
        return [(_clock(start), _clock(end), watts) for start, end, watts in marks]

    def must_be_quiet(self) -> None:
        """Fail if the console said anything that a server's absence does not explain."""
        assert self._said == []

    def _hear(self, message: ConsoleMessage) -> None:
        is_lost = any(word in message.text for word in LOST)
        # A page asks whether there is a session before it shows the login; a browser notes the answer as an error.
        asks = "401" in message.text and message.location.get("url", "").endswith(("/api/session", "/api/login"))
        if message.type in {"error", "warning"} and not is_lost and not asks:
            self._said.append(message.text)


def tomorrow(clock: str) -> datetime:
    """A local time of tomorrow, where the demo's day is."""
    hours, minutes = map(int, clock.split(":"))
    day = (datetime.now(ZONE) + timedelta(days=1)).date()
    return datetime(day.year, day.month, day.day, hours, minutes, tzinfo=ZONE)


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, ZONE).strftime("%H:%M")


def _free_base() -> int:
    """A base from which the demo's ports are free, as far as one can know."""
    distances = (43, 44, 80, 90, 101, 102, 103, 201, 202)
    for base in range(21_000, 60_000, 311):
        if all(_is_free(base + distance) for distance in distances):
            return base
    raise AssertionError("No ports are free.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
