"""A browser, and a demo whose day has been played, for all tests in this folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from hub.errors import Unavailable
from tests.browser import chromium
from tests.browser.stage import Stage, Window
from tests.fixtures_broker import unavailable


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium; on a build server its absence is a failure, elsewhere what was not run is told."""
    if chromium.is_left_out():
        pytest.skip("TPS_TEST_BROWSER=none: no page was looked at in a browser")
    async with AsyncExitStack() as stack:
        try:
            running = await stack.enter_async_context(chromium.running())
        except Unavailable as error:
            unavailable(str(error))
        yield running


@pytest_asyncio.fixture(scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> AsyncIterator[Stage]:
    """The demo as a process of its own; its day is played."""
    stage = Stage(tmp_path_factory.mktemp("stage"))
    await asyncio.to_thread(stage.start)
    yield stage
    stage.stop()


@pytest_asyncio.fixture
async def window(browser: Browser, stage: Stage) -> AsyncIterator[Window]:
    """A window in which the operator is logged in; an error in its console fails the test."""
    async with Window.opened(browser, stage) as window:
        yield window
        window.must_be_quiet()
