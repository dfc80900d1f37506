"""What the operator sees in a browser on the demo's day, and that everybody can use it (F3).

The day has a limit of 700 kW by north on the heat pump of alpha and the battery of bravo, tomorrow from 17 to 20 h.
They plan 300 and 600 kW: 66.7 and 133.3 kW too much.
"""

import asyncio
import re
from datetime import UTC, timedelta

import pytest
from axe_playwright_python.base import AXE_FILE_PATH  # type: ignore[import-untyped] # has no type hints
from playwright.async_api import Browser, expect

from gateways.demo.cast import COOLER, HEAT_PUMP, PLANT
from tests.browser.stage import PATIENCE_MS, Stage, Window, tomorrow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

VIEWS = ("Overview", "Aggregators", "Grid operators", "Implications", "Documents", "Assets", "What if")


async def test_an_aggregator_is_chosen_and_its_schedules_stand_against_its_share(window: Window) -> None:
    await window.open("Aggregators")
    await window.page.get_by_label("Aggregator", exact=True).select_option(label="bravo · AGR")
    await window.sees("Schedules of bravo")
    await window.page.get_by_label("Aggregator", exact=True).select_option(label="alpha · AGR")

    await window.sees("Schedules of alpha")
    await window.sees("Share of the limit by north")
    assert await window.stretches(".violation:not(.band)") == [("17:00", "20:00", 66_667)]
    (finding, *_) = await window.rows("Where plans do not fit")
    assert finding[1:8] == ["above the limit", "north", "consumption", "300 kW", "233.3 kW", "66.7 kW", "200 kWh"]


async def test_a_grid_operator_is_chosen_and_its_limit_shows_the_overlap_and_who_has_it(window: Window) -> None:
    await window.open("Grid operators")
    await window.page.get_by_label("Grid operator", exact=True).select_option(label="north · DSO")

    await window.sees("Plans against the limit: consumption")
    assert ("17:00", "20:00", 200_000) in await window.stretches(".violation")
    parts = {row[0]: row for row in await window.rows("Assets concerned")}
    assert parts[HEAT_PUMP.id][1:6] == ["alpha", "500 kW", "233.3 kW", "66.7 kW", "200 kWh"]
    copies = {row[0].split("\n")[0].split(" ")[0]: row for row in await window.rows("Copies")}
    assert copies["alpha"][2:] == ["received", "yes"]
    assert "no longer concerned" in copies["charlie"][0]


async def test_a_new_limit_appears_by_itself_and_leads_to_its_conflict(window: Window, stage: Stage) -> None:
    # The day after the demo's, which the demo itself checks when it starts again.
    plan = {"asset": COOLER.id, "periods": [period(-150_000)]}
    await stage.send("CHARLIE", "POST", "/schedules", {"series": [plan]})
    await window.open("Implications")
    await window.page.get_by_label("How many days").select_option(label="3 days")
    await window.sees("under 1 limit")

    series = {"assets": [COOLER.id], "periods": [period(100_000)]}
    await stage.send("NORTH", "POST", "/limits/foreseen", {"direction": "consumption", "series": [series]})

    await window.sees("under 2 limits")
    (new,) = [row for row in await window.rows("Implications") if "08:00" in row[0]]
    assert new[4:8] == ["150 kW", "100 kW", "50 kW", "100 kWh"]
    await window.page.get_by_role("row").filter(has_text="08:00").get_by_role("link").last.click()
    await window.sees("Foreseen limit by north")
    assert await window.stretches(".violation") == [("08:00", "10:00", 50_000)]


def period(watts: int) -> dict[str, object]:
    """Two hours on the day after tomorrow."""
    start, end = (tomorrow(clock) + timedelta(days=1) for clock in ("08:00", "10:00"))
    instants = {
        name: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for name, at in (("start", start), ("end", end))
    }
    points = [{"position": position, "quantity": watts} for position in range(1, 9)]
    return {**instants, "resolution": "PT15M", "points": points}


async def test_implications_are_filtered_and_sorted(window: Window) -> None:
    await window.open("Implications")
    await window.page.get_by_label("Search").fill(HEAT_PUMP.id)
    await window.sees("1 finding")
    await window.page.get_by_label("Search").fill("no such thing")
    await window.sees("No finding fits what is searched for.")

    await window.page.get_by_label("Search").fill("")
    await window.page.get_by_role("button", name="Energy").click()
    await window.page.get_by_role("button", name="Energy").click()

    heading = window.page.get_by_role("columnheader", name="Energy")
    await expect(heading).to_have_attribute("aria-sort", "descending")
    assert (await window.rows("Implications"))[0][7] == "600 kWh"


async def test_time_is_turned_back_to_before_the_day_and_to_now_again(window: Window) -> None:
    await window.open("Documents")
    await window.sees("A01 accepted")
    slider = window.page.get_by_label("As known at")
    began = int(await slider.get_attribute("min") or 0)

    await slider.evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true}));"
        " slider.dispatchEvent(new Event('change', {bubbles: true})); }",
        began,
    )

    await window.sees("No document fits.")
    await window.open("Overview")
    await window.sees("Every plan fits under every limit.")
    await window.page.get_by_role("button", name="Back to now").click()
    await window.sees("above the limit")


async def test_a_what_if_shows_what_a_limit_would_do_and_sends_nothing(window: Window) -> None:
    await window.open("Documents")
    before = await window.rows("Documents")
    await window.open("What if")
    await window.page.get_by_role("checkbox", name=HEAT_PUMP.id).check()
    await window.page.get_by_label("Total, kW").fill("200")
    await window.page.get_by_label("From").fill(typed("12:00"))
    await window.page.get_by_label("To", exact=True).fill(typed("13:00"))
    await window.page.get_by_role("button", name="Add a row").click()
    await window.page.get_by_label("From (row 2)").fill(typed("15:00"))
    await window.page.get_by_label("To (row 2)").fill(typed("16:00"))
    await window.page.get_by_label("Total, kW (row 2)").fill("100")

    await window.page.get_by_role("button", name="See what it would do").click()

    rows = [row[1:7] for row in await window.rows("What it would do")]
    assert rows == [
        ["above the limit", "consumption", "300 kW", "200 kW", "100 kW", "100 kWh"],
        ["above the limit", "consumption", "300 kW", "100 kW", "200 kW", "200 kWh"],
    ]
    assert await window.stretches(".violation") == [("12:00", "13:00", 100_000), ("15:00", "16:00", 200_000)]
    await window.open("Documents")
    assert await window.rows("Documents") == before


async def test_a_what_if_whose_rows_overlap_or_hold_no_time_says_so(window: Window) -> None:
    await window.open("What if")
    await window.page.get_by_role("button", name="Add a row").click()
    await window.page.get_by_label("From (row 2)").fill(typed("00:00"))
    await window.page.get_by_label("From", exact=True).fill(typed("10:00"))
    await window.page.get_by_label("To", exact=True).fill(typed("13:00"))
    await window.page.get_by_label("To (row 2)").fill(typed("12:00"))

    await window.page.get_by_role("button", name="See what it would do").click()
    await window.sees("Row 2 begins before row 1 ends.")

    await window.page.get_by_label("From", exact=True).fill("11/12/2026 5 PM")
    assert not await window.page.locator("form.trial").evaluate("form => form.checkValidity()")


def typed(clock: str) -> str:
    """A local time of tomorrow as it is typed."""
    return tomorrow(clock).strftime("%Y-%m-%d %H:%M")


async def test_a_what_if_that_the_hub_would_refuse_says_why(window: Window) -> None:
    await window.open("What if")
    await window.page.get_by_label("a document").check()
    await window.page.get_by_label("The Unavailability_MarketDocument").fill("<no/>")
    await window.page.get_by_role("button", name="See what it would do").click()

    await window.sees("The hub would refuse it")
    await window.sees("cannot be read")


async def test_a_document_shows_its_trail_and_its_xml(window: Window) -> None:
    await window.open("Documents")
    await window.page.get_by_label("Search").fill("foreseen")
    await window.page.get_by_label("Search").press("Enter")
    await window.page.get_by_role("link", name="foreseen").first.click()

    await window.sees("As it came, laid out to read")
    await window.sees("<Unavailability_MarketDocument")
    await window.sees("What became of it")
    await window.sees("judged A01 (accepted)")
    await window.page.get_by_text(re.compile("TPS-.*FORESEEN to .*: received")).first.click()
    await window.sees("received by its business side")


async def test_assets_are_searched(window: Window) -> None:
    await window.open("Assets")
    await window.page.get_by_label("Search").fill("charlie")
    await window.sees("2 assets")

    assert {row[0] for row in await window.rows("Assets")} == {COOLER.id, PLANT.id}


async def test_times_are_the_markets_with_utc_on_hover(window: Window) -> None:
    await window.open("Implications")
    cell = window.page.locator("tbody time").filter(has_text="17:00").first

    assert await cell.get_attribute("title") == tomorrow("17:00").astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


async def test_a_chart_is_read_with_the_keyboard(window: Window) -> None:
    await window.open("Aggregators")
    await window.page.get_by_label("Aggregator", exact=True).select_option(label="alpha · AGR")
    reader = window.page.get_by_role("slider", name="Read Schedules of alpha")
    await reader.focus()
    await reader.press("End")

    told = await reader.get_attribute("aria-valuetext")
    assert told is not None
    assert "23:45\N{EN DASH}00:00" in told
    assert f"{HEAT_PUMP.id} \N{MINUS SIGN}300 kW" in told


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_keeps_anybody_from_using_the_pages(browser: Browser, stage: Stage, scheme: str) -> None:
    async with Window.opened(browser, stage, scheme) as window:
        for view in VIEWS:
            await window.open(view)
            await window.page.locator(".card").first.wait_for()
            assert (view, await barriers(window)) == (view, [])
        await window.open("Grid operators")
        await window.page.locator("td a.mrid").first.click()
        await window.sees("Assets concerned")
        assert await barriers(window) == []
        await window.page.get_by_role("link", name="All about it").click()
        await window.sees("all limits of north")
        assert await barriers(window) == []
        await window.open("Documents")
        await window.page.locator("td a.mrid").first.click()
        await window.sees("As it came, laid out to read")
        assert await barriers(window) == []
        await window.page.get_by_role("button", name="One minute earlier").click()
        await window.sees("Back to now")
        assert await barriers(window) == []


async def barriers(window: Window) -> list[str]:
    """What axe finds serious or critical: its rule and the element."""
    await window.page.evaluate(AXE_FILE_PATH.read_text("utf-8"))
    found = await window.page.evaluate("axe.run()")
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


async def test_nothing_jumps_while_the_first_view_comes(window: Window) -> None:
    await window.page.reload()
    await window.sees("limits active")
    jumps = await window.page.evaluate(
        "new Promise(told => new PerformanceObserver(list => told("
        "list.getEntries().reduce((sum, one) => sum + (one.hadRecentInput ? 0 : one.value), 0)"
        ")).observe({type: 'layout-shift', buffered: true}) || setTimeout(() => told(0), 500))"
    )

    # What browsers call good is less than 0.1.
    assert jumps < 0.05


async def test_a_wrong_password_is_told_and_lets_nobody_in(browser: Browser, stage: Stage) -> None:
    context = await browser.new_context()
    window = Window(await context.new_page(), stage)
    await window.log_in("not the password")

    await window.sees("The password is wrong.")
    window.must_be_quiet()
    await context.close()


async def test_a_hub_that_hangs_without_breaking_the_line_is_told_too(window: Window, stage: Stage) -> None:
    status = window.page.get_by_role("status")
    await expect(status).to_have_text("● Live", timeout=PATIENCE_MS)

    with stage.frozen():
        await expect(status).to_contain_text("No contact with the hub", timeout=2 * PATIENCE_MS)

    await expect(status).to_have_text("● Live", timeout=PATIENCE_MS)


async def test_contact_lost_is_told_and_everything_is_there_again_after_a_restart(window: Window, stage: Stage) -> None:
    await window.open("Implications")
    status = window.page.get_by_role("status")
    await expect(status).to_have_text("● Live", timeout=PATIENCE_MS)
    findings = await window.rows("Implications")

    stage.kill()

    await expect(status).to_contain_text("No contact with the hub", timeout=PATIENCE_MS)
    assert findings
    assert await window.rows("Implications") == findings

    await asyncio.to_thread(stage.start)

    await expect(status).to_have_text("● Live", timeout=PATIENCE_MS)
    await window.open("Overview")
    await window.sees("above the limit")
