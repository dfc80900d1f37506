"""Whatever a stranger types ends with words and 2, or with words and 1: never with a traceback."""

import getpass
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import tps
from hub.verbs import operating
from tests.operated import ALPHA, GATEWAY_SETTINGS, HUB_SETTINGS

HUGE = "99999999999999999999"


def typed(*arguments: str) -> tuple[int, str]:
    """Exit code and what was printed, with settings of a hub and a gateway and a database that never answers."""
    away = {"TPS__DATABASE__URL": "postgresql://x@127.0.0.1:1/x"}
    result = CliRunner(env=HUB_SETTINGS | GATEWAY_SETTINGS | away).invoke(tps, arguments, auto_envvar_prefix="TPS")
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("events", "show", HUGE), "is not in the range"),
        (("events", "list", "--last", HUGE), "is not in the range"),
        (("events", "verify", "--from", HUGE), "is not in the range"),
        (("events", "prove", "--since", HUGE), "is not in the range"),
        (("events", "replay", "--as", ALPHA, "--at", "0001-01-01T00:00:00+05:00"), "is no time"),
        (("events", "replay", "--as", ALPHA, "--at", "9999-12-31T23:59:59-05:00"), "is no time"),
        (("events", "replay", "--as", ALPHA, "--at", "yesterday"), "is no time"),
        (("events", "export", "--json"), "give --out FILE"),
        (("payloads", "erase", "--days", HUGE, "--why", "x"), "is not in the range"),
        (("tokens", "issue", "--days", "99999999"), "is not in the range"),
        (("participants", "suspend", ALPHA, "--why", ""), "It is blank"),
        (("participants", "suspend", ALPHA, "--why", "   "), "It is blank"),
        (("participants", "suspend", ALPHA, "--why", "a\nb"), "line break"),
        (("participants", "suspend", ALPHA, "--why", "\x1b[2J"), "cannot be printed"),
        (("participants", "suspend", ALPHA, "--why", "\udcff"), "cannot be printed"),
        (("participants", "suspend", ALPHA, "--why", "x", "--by", ""), "It is blank"),
        (("participants", "add", ALPHA, "AGR", "--name", "\udcff"), "cannot be printed"),
        (("tokens", "issue", "--label", "a\tb"), "cannot be printed"),
        (("projections", "rebuild", "--why", " "), "It is blank"),
    ],
)
def test_what_nobody_could_mean_is_wrong_usage_and_told_in_words(arguments: tuple[str, ...], words: str) -> None:
    code, told = typed(*arguments)

    assert (code, words in told) == (2, True), told


def test_bytes_that_are_no_text_are_refused_before_anything_else() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "hub", "events", "trail", b"\xff"], capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stderr) == (2, "Error: '\\udcff' is no text in the coding of this machine (utf-8).\n")


def test_an_output_that_is_full_is_told_in_words() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "hub", "settings", "list", "hub"]
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert run.returncode == 1
    assert run.stderr.startswith("What was to be written does not fit: No space left on device.")


def test_who_types_has_a_number_where_the_machine_has_no_name_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container that runs as a number nobody gave a name, every change of an operator failed."""

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr(getpass, "getuser", unknown)
    monkeypatch.setattr("os.getuid", lambda: 54321)

    assert operating.operator() == "uid 54321"
