"""`tps broker` where no broker is needed: its words, its files, its errors."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.errors import Unavailable
from hub.verbs.broker import broker

GOOD = '{"code": "A01:HUB", "party": "HUB", "suffix": "0123456789abcdef"}'


def test_the_configuration_leaves_one_way_to_log_in_and_says_the_size() -> None:
    printed = CliRunner().invoke(broker, ["config"]).output

    settings = dict(line.split(" = ") for line in printed.splitlines() if line and not line.startswith("#"))
    assert settings["auth_mechanisms.1"] == "EXTERNAL"
    assert settings["listeners.tcp"] == "none"
    assert settings["ssl_options.fail_if_no_peer_cert"] == "true"
    assert settings["ssl_options.versions.1"] == "tlsv1.3"
    # The embedded broker takes as much (MAX_MESSAGE_BYTES).
    assert int(settings["max_message_size"]) == 16 * 1024**2 + 128 * 1024


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "Expected: a JSON list"),
        ("[]", "0 components are the HUB; expected exactly one"),
        (f"[{GOOD}, {GOOD}]", "A01:HUB is named more than once"),
        (f"[{GOOD.replace('0123', 'WXYZ')}]", "$[0].suffix"),
    ],
)
def test_a_list_that_cannot_be_used_ends_with_2_and_says_why(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "components.json"
    file.write_text(content)

    result = CliRunner().invoke(broker, ["provision", "--components", str(file)])

    assert result.exit_code == 2
    assert words in result.output


def test_a_list_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(broker, ["provision", "--components", str(tmp_path / "none.json")])

    assert (result.exit_code, "No such file" in result.output) == (2, True)


def test_a_broker_that_does_not_answer_is_unavailable() -> None:
    result = CliRunner().invoke(broker, ["--management", "http://me@127.0.0.1:9", "status"])

    assert isinstance(result.exception, Unavailable)
    assert "127.0.0.1:9" in str(result.exception)
