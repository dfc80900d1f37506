"""Pictures of every view, light and dark, from a demo of its own: `make screenshots`."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, expect

from gateways.demo.cast import HEAT_PUMP
from hub.errors import Unavailable
from tests.browser import chromium
from tests.browser.stage import PATIENCE_MS, Stage, Window, tomorrow
from tests.browser.test_gateway_pages import at_gateway

DEFAULT: Final = Path("build/screenshots")
VIEWS: Final = ("Overview", "Aggregators", "Grid operators", "Implications", "Documents", "Assets", "What if")


async def take(folder: Path) -> None:
    """Write `<view>-<scheme>.png` of every view into a folder. Raises Unavailable."""
    with tempfile.TemporaryDirectory() as stage_folder:
        stage = Stage(Path(stage_folder))
        async with chromium.running() as browser:
            await asyncio.to_thread(stage.start)
            try:
                for scheme in ("light", "dark"):
                    await _take_all(browser, stage, scheme, folder)
                    for who in ("ALPHA", "NORTH"):
                        async with at_gateway(browser, stage, who, scheme) as window:
                            path = folder / f"gateway-of-{who.lower()}-{scheme}.png"
                            await window.page.screenshot(path=path, full_page=True)
                            sys.stdout.write(f"{path}\n")
            finally:
                stage.stop()


async def _take_all(browser: Browser, stage: Stage, scheme: str, folder: Path) -> None:
    async with Window.opened(browser, stage, scheme) as window:

        async def shoot(name: str) -> None:
            await window.page.wait_for_load_state("load")
            await expect(window.page.locator(".loading")).to_have_count(0, timeout=PATIENCE_MS)
            await window.page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=True)
            sys.stdout.write(f"{folder / name}-{scheme}.png\n")

        for view in VIEWS:
            await window.open(view)
            await window.page.locator(".card .scroll, .card .chart, .card form").first.wait_for()
            if view == "What if":
                await _try_something(window)
            if view == "Grid operators":
                await window.sees("Assets concerned")
            await shoot(view.lower().replace(" ", "-"))
        await window.open("Grid operators")
        await window.page.get_by_role("link", name="All about it").click()
        await window.sees("Assets concerned")
        await shoot("limit")
        await window.open("Implications")
        await window.page.get_by_role("button", name="One minute earlier").click()
        await window.sees("Back to now")
        await shoot("as-known-before")
        await window.page.get_by_role("button", name="Back to now").click()
        await window.open("Documents")
        await window.page.locator("td a.mrid").first.click()
        await window.sees("As it came")
        await shoot("document")
        await window.page.get_by_role("button", name="Log out").click()
        await window.sees("Log in")
        await shoot("login")


async def _try_something(window: Window) -> None:
    await window.page.get_by_role("checkbox", name=HEAT_PUMP.id).check()
    await window.page.get_by_label("Total, kW").fill("200")
    await window.page.get_by_label("From").fill(tomorrow("12:00").strftime("%Y-%m-%d %H:%M"))
    await window.page.get_by_label("To", exact=True).fill(tomorrow("14:00").strftime("%Y-%m-%d %H:%M"))
    await window.page.get_by_role("button", name="Add a row").click()
    await window.page.get_by_label("Total, kW (row 2)").fill("350")
    await window.page.get_by_role("button", name="See what it would do").click()
    await window.sees("Assets concerned")


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    chosen.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(take(chosen))
    except Unavailable as error:
        sys.exit(str(error))
