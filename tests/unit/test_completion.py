"""Completion in a shell: what `tps completion` prints makes the tabulator key find commands and options."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import tps
from tests.programs import need

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_a_shell_is_printed(shell: str) -> None:
    printed = CliRunner().invoke(tps, ["completion", shell])

    assert printed.exit_code == 0, printed.output
    assert f"_TPS_COMPLETE={shell}_complete" in printed.output


def test_another_shell_is_wrong_usage() -> None:
    assert CliRunner().invoke(tps, ["completion", "tcsh"]).exit_code == 2


@pytest.mark.parametrize(
    ("typed", "found"),
    [("tps par", "participants"), ("tps participants sus", "suspend"), ("tps participants suspend --w", "--why")],
)
def test_bash_completes_commands_and_options(typed: str, found: str) -> None:
    need("bash")
    words = typed.split()
    script = (
        f'eval "$({BIN / "tps"} completion bash)"; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; '
        '_tps_completion tps; echo "${COMPREPLY[@]}"'
    )

    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=environment)

    assert found in done.stdout.split(), done.stderr
