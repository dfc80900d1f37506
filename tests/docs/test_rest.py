"""What the REST guide tells a client's developer to type works, word for word, on the demo it describes."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.demo_process import demo
from tests.programs import need

pytestmark = pytest.mark.slow


def test_the_commands_of_the_rest_guide_work_in_their_order(tmp_path: Path, root: Path) -> None:
    need("curl")
    blocks = re.findall(r"```sh\n(.*?)```", (root / "docs" / "rest.md").read_text(), re.DOTALL)

    with demo(tmp_path, "--port", "0") as platform:
        platform.wait_for("Serving until")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    verdicts = [answer["verdict"] for answer in answers if "verdict" in answer]
    assert verdicts
    assert set(verdicts) == {"accepted"}
    assert [answer["status"] for answer in answers if "detail" in answer] == [400, 404]
    assert _shares(answers) == [15_000]
    assert answers[2] == answers[3], "a write repeated under its key is done once"


def _shares(answers: list[Any]) -> list[int]:
    """What alpha reads as the share of the asset the guide registers: 265 kW by rated power, 60 of 1060 kW."""
    return [
        point["quantity"]
        for answer in answers
        for limit in answer.get("items", ())
        for share in limit.get("shares", ())
        if share["asset"] == "571313100000000072"
        for period in share["periods"]
        for point in period["points"]
    ]
