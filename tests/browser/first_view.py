"""`python -m tests.browser.first_view`: how long until the operator sees the overview of the demo's day.

From the browser's own clock: navigation to the last change of the page, with a session, without anything kept; the
middle one of several.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from hub.errors import Unavailable
from tests.browser import chromium
from tests.browser.stage import Stage, Window

TIMES: Final = 7
PAINTED: Final = """() => new Promise(told => {
  const look = () => document.querySelector("#o-chart")
    ? requestAnimationFrame(() => told(performance.now()))
    : setTimeout(look, 5);
  look();
})"""


async def measure() -> list[float]:
    """Milliseconds of each. Raises Unavailable."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        async with chromium.running() as browser:
            await asyncio.to_thread(stage.start)
            try:
                async with Window.opened(browser, stage) as window:
                    return [await _one(window) for _ in range(TIMES)]
            finally:
                stage.stop()


async def _one(window: Window) -> float:
    await window.page.reload()
    return float(await window.page.evaluate(PAINTED))


if __name__ == "__main__":
    try:
        found = asyncio.run(measure())
    except Unavailable as error:
        sys.exit(str(error))
    sys.stdout.write(f"first view: {median(found):.0f} ms ({min(found):.0f} to {max(found):.0f})\n")
