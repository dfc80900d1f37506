"""What an aggregator's and a grid operator's people see in a browser at their own gateways (F3, F5)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, expect

from gateways.demo.cast import HEAT_PUMP
from tests.browser.stage import PATIENCE_MS, Stage, Window
from tests.browser.test_operator_pages import barriers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@asynccontextmanager
async def at_gateway(browser: Browser, stage: Stage, who: str, scheme: str = "light") -> AsyncIterator[Window]:
    """A window on the charts of a gateway, logged in with its token."""
    async with Window.opened_at(browser, stage, f"{stage.told[who]}/ui", scheme) as window:
        await window.page.get_by_label("Token").fill(stage.told[f"{who}_TOKEN"])
        await window.page.get_by_role("button", name="Log in").click()
        await window.sees("Where plans do not fit")
        yield window
        window.must_be_quiet()


async def test_an_aggregator_sees_its_own_share_and_what_is_too_much(browser: Browser, stage: Stage) -> None:
    async with at_gateway(browser, stage, "ALPHA") as window:
        await window.sees("Schedules of alpha")
        (finding, *_) = await window.rows("Where plans do not fit")
        assert finding[1:6] == ["above the limit", "consumption", "300 kW", "233.3 kW", "66.7 kW"]
        assert await window.stretches(".violation:not(.band)") == [("17:00", "20:00", 66_667)]
        await window.sees_no("bravo")


async def test_a_grid_operator_sees_its_total_against_the_plans_and_no_operator(browser: Browser, stage: Stage) -> None:
    async with at_gateway(browser, stage, "NORTH") as window:
        await window.sees("Schedules on the grid of north")
        (finding, *_) = await window.rows("Where plans do not fit")
        assert finding[1:6] == ["above the limit", "consumption", "900 kW", "700 kW", "200 kW"]
        assert HEAT_PUMP.id in [row[0] for row in await window.rows("Assets")]
        for name in ("alpha", "bravo", "charlie"):
            await window.sees_no(name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_keeps_anybody_from_using_the_charts(browser: Browser, stage: Stage, scheme: str) -> None:
    for who in ("ALPHA", "NORTH"):
        async with at_gateway(browser, stage, who, scheme) as window:
            assert (who, await barriers(window)) == (who, [])


async def test_a_wrong_token_is_told_and_lets_nobody_in(browser: Browser, stage: Stage) -> None:
    async with Window.opened_at(browser, stage, f"{stage.told['ALPHA']}/ui") as window:
        await window.page.get_by_label("Token").fill("no token")
        await window.page.get_by_role("button", name="Log in").click()

        await expect(window.page.get_by_role("alert")).to_have_text(
            "This is no valid token of this gateway.", timeout=PATIENCE_MS
        )
