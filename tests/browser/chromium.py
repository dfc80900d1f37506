"""A Chromium to look at pages with: the one named, the one installed, or the distribution's, installed for it."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import playwright
from playwright.async_api import Browser, async_playwright

from gateways.demo.rabbitmq import installed_afresh
from hub.errors import Unavailable

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NONE: Final = "none"
"""TPS_TEST_BROWSER=none: do not look for a browser, and leave out what needs one."""
QUIET: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def is_left_out() -> bool:
    """Whether whoever runs the tests wants none in a browser."""
    return os.environ.get("TPS_TEST_BROWSER") == NONE


def program() -> str:
    """The path of a Chromium. Raises Unavailable, saying what was tried and what to do."""
    named = os.environ.get("TPS_TEST_BROWSER")
    if named:
        return named
    if found := _installed():
        return found
    try:
        installed_afresh("chromium")
    except Unavailable as error:
        raise Unavailable(
            f"No Chromium is installed. {error} Install it, name its program in TPS_TEST_BROWSER, "
            f"or leave out the tests in a browser with TPS_TEST_BROWSER={NONE}."
        ) from error
    if found := _installed():
        return found
    raise Unavailable("The package chromium was installed, and there is still no such program.")


def must_be_drivable() -> None:
    """Raises Unavailable: the runtime that drives the browser does not start, though its library was installed."""
    runtime = Path(playwright.__file__).parent / "driver" / "node"
    if _starts(runtime):
        return
    installed_afresh("libatomic1")
    if not _starts(runtime):
        raise Unavailable(f"What drives the browser does not start: see `{runtime} --version`.")


def _starts(program: Path) -> bool:
    return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


@asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    """A headless browser with a profile of its own, for as long as the block lasts. Raises Unavailable."""
    # Root has no sandbox to give; everybody else keeps it.
    arguments = [*QUIET, "--no-sandbox"] if os.geteuid() == 0 else list(QUIET)
    browser_program = program()
    must_be_drivable()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=browser_program, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


def _installed() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)
