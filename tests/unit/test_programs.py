"""Programs that tests need are never missed quietly on a build server."""

from pathlib import Path

import pytest

from hub.errors import Unavailable
from tests import programs


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_program_that_cannot_be_had_is_a_skip_at_home_and_a_failure_on_a_build_server(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    def refuse(_package: str) -> None:
        raise Unavailable("Only root can install one, and only with apt-get.")

    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(programs, "installed_afresh", refuse)

    with pytest.raises(outcome, match=r"no-such-program is not installed, and this test needs it\. Only root"):
        programs.need("no-such-program")


def test_a_program_that_root_can_install_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(package: str) -> None:
        (tmp_path / package).touch(mode=0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "installed_afresh", install)

    programs.need("some-program")

    assert (tmp_path / "some-program").exists()


def test_a_program_that_is_there_is_not_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "present").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "installed_afresh", lambda package: pytest.fail(f"{package} was installed"))

    programs.need("present")
