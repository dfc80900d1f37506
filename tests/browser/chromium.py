"""A Chromium to look at pages with: the one named, the one installed, or the distribution's, installed for it."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

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


@asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    """A headless browser with a profile of its own, for as long as the block lasts. Raises Unavailable."""
    # Root has no sandbox to give; everybody else keeps it.
    arguments = [*QUIET, "--no-sandbox"] if os.geteuid() == 0 else list(QUIET)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program(), args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


def _installed() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)
