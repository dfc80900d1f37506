"""Nothing is lost or doubled when the whole platform is killed in the middle of a day (kill -9) and started again.

The day checks itself at its end: every AGR's limits with their revisions, each once, in order, no gap in its feed.
"""

from pathlib import Path

import pytest

from tests.demo_process import demo

pytestmark = pytest.mark.slow

MOMENTS = [
    "alpha registered",
    "bravo sent tomorrow's schedules",
    "north announced a limit",
    "north changed it",
    "south ordered a stop",
    "south ended it",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_platform_goes_on_where_it_was(tmp_path: Path, moment: str) -> None:
    with demo(tmp_path, "--once", "--port", "0") as first:
        first.wait_for(moment)
        first.kill()

    with demo(tmp_path, "--once", "--port", "0") as second:
        assert second.end() == 0, second.text

    assert "WRONG" not in second.text
    assert second.text.count("as it must be") == 10


def test_a_platform_killed_while_it_serves_has_everything_when_it_is_back(tmp_path: Path) -> None:
    with demo(tmp_path, "--port", "0") as first:
        first.wait_for("Serving until")
        first.kill()

    with demo(tmp_path, "--once", "--port", "0") as second:
        assert second.end() == 0, second.text


def test_ctrl_c_ends_it_in_good_order(tmp_path: Path) -> None:
    with demo(tmp_path, "--port", "0") as process:
        process.wait_for("Serving until")
        process.interrupt()

        assert process.end() == 0, process.text
    assert "Traceback" not in process.text


@pytest.mark.parametrize("moment", ["Starting PostgreSQL", "alpha registered"])
def test_ctrl_c_is_heard_before_all_is_done(tmp_path: Path, moment: str) -> None:
    with demo(tmp_path, "--port", "0") as process:
        process.wait_for(moment)
        process.interrupt()

        assert process.end() == 0, process.text
    assert "Stopping" in process.text
    assert "Now by hand" not in process.text
    assert "Traceback" not in process.text
    assert ("/docs" in process.text) == (moment != "Starting PostgreSQL"), "what has not begun does not begin"

    with demo(tmp_path, "--once", "--port", "0") as again:
        assert again.end() == 0, again.text


def test_a_second_demo_on_the_same_folder_is_told_so(tmp_path: Path) -> None:
    with demo(tmp_path, "--port", "0") as first:
        first.wait_for("Serving until")
        with demo(tmp_path, "--once", "--port", "0") as second:
            assert second.end() == 2, second.text

    assert "Another process uses the database" in second.text
    assert "Traceback" not in second.text
