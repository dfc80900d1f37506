"""`tps demo --against`: the sample day at a platform that runs already."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import tps
from tests.demo_process import demo


@pytest.mark.slow
def test_the_day_is_played_at_a_running_platform(tmp_path: Path) -> None:
    with demo(tmp_path, "--port", "0") as platform:
        platform.wait_for("Serving until")

        with demo(tmp_path, "--against", str(tmp_path / ".demo" / "env")) as day:
            assert day.end() == 0, day.text

    assert "WRONG" not in day.text
    assert day.text.count("as it must be") == 10
    assert "Starting" not in day.text


def test_addresses_that_are_missing_are_named(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("export NORTH=http://127.0.0.1:1\nNORTH_TOKEN=\n")

    result = CliRunner().invoke(tps, ["demo", "--against", str(file)])

    assert result.exit_code == 2
    assert "found no NORTH_TOKEN, SOUTH, SOUTH_TOKEN, CHARLIE" in result.output
