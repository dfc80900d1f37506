"""What the README tells a newcomer to type works, word for word, on the demo it describes."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.demo_process import demo
from tests.programs import need

pytestmark = pytest.mark.slow


def test_the_commands_of_the_readme_do_the_main_job(tmp_path: Path, root: Path) -> None:
    need("curl")
    start, *by_hand = re.findall(r"```sh\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    assert start.split("\n")[:2] == ["make demo", "make test"]
    serve = ("make", "--no-print-directory", "-C", str(root), "demo", "PORT=0", f"DIR={tmp_path / '.demo'}")

    with demo(tmp_path, command=serve) as platform:
        platform.wait_for("Serving until")
        (tmp_path / ".venv").symlink_to(root / ".venv")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(by_hand)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    ping, assets, verdict, told, inside = re.search(r"(pong)\s*(\{.*?\})(\{.*\})(\{.*\})(.*)\Z", done.stdout, re.DOTALL).groups()  # type: ignore[union-attr] # a None fails the test with the output above
    assert ping == "pong"
    assert "571313100000000010" in assets
    assert '"verdict":"accepted"' in verdict
    assert '"quantity":200000' in told
    assert "600000" not in told
    assert "571313100000000034" not in told
    assert "571313100000000034 400000 W" in inside
    assert "The log is what was written" in inside


def test_every_link_of_the_readme_leads_somewhere(root: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (root / "README.md").read_text())

    missing = [link for link in links if not link.startswith("http") and not (root / link).exists()]

    assert links
    assert missing == []
