"""`tps settings show`: what holds, where it comes from, and nothing secret."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import tps
from hub.errors import SettingsError

SECRET = "0123456789abcdef0123456789abcdef"


def show(*arguments: str, env: dict[str, str] | None = None) -> str:
    shown = CliRunner().invoke(tps, [*arguments], env=env, auto_envvar_prefix="TPS", catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "hub.toml"
    file.write_text(f'[hub]\nid = "45X-TPS-HUB-DEM8"\nsecret = "{SECRET}"\n[mades]\ndir = "own"\n')
    return file


def test_every_value_comes_with_its_source(file: Path) -> None:
    env = {"TPS__HTTP__PORT": "9000"}
    lines = show("--settings", str(file), "--set", "hub.beat_s=3", "settings", "show", env=env).splitlines()

    assert f"hub.id = 45X-TPS-HUB-DEM8  (file {file})" in lines
    assert f"mades.dir = {file.parent / 'own'}  (file {file})" in lines
    assert "http.port = 9000  (environment TPS__HTTP__PORT)" in lines
    assert "hub.beat_s = 3.0  (--set)" in lines
    assert "hub.timezone = Europe/Copenhagen  (default)" in lines


def test_a_secret_is_masked_wherever_it_comes_from(file: Path, tmp_path: Path) -> None:
    password = tmp_path / "url"
    password.write_text("postgresql://tps:hunter2@db.example/tps\n")

    shown = show("--settings", str(file), "settings", "show", env={"TPS__DATABASE__URL_FILE": str(password)})

    assert f"hub.secret = ***  (file {file})" in shown
    assert "database.url = ***  (environment TPS__DATABASE__URL_FILE)" in shown
    assert SECRET not in shown
    assert "hunter2" not in shown


def test_programs_read_json(file: Path) -> None:
    listed = json.loads(show("--settings", str(file), "settings", "show", "--json"))

    assert {"setting": "hub.id", "value": "45X-TPS-HUB-DEM8", "source": f"file {file}"} in listed
    assert {each["value"] for each in listed if each["setting"] == "hub.secret"} == {"***"}


def test_programs_read_what_can_be_set() -> None:
    listed = {each["setting"]: each for each in json.loads(show("settings", "list", "hub", "--json"))}

    assert listed["http.port"] == {
        "setting": "http.port",
        "variable": "TPS__HTTP__PORT",
        "expected": "a whole number from 0 to 65535",
        "default": "8080",
        "meaning": "Port to listen on; 0 takes a free one",
    }
    assert listed["hub.id"]["default"] is None
    gateway = {each["setting"]: each for each in json.loads(show("settings", "list", "gateway", "--json"))}
    assert (gateway["gateway.ui"]["expected"], gateway["gateway.ui"]["default"]) == ("true or false", "false")


def test_a_role_is_shown_by_its_word() -> None:
    chosen = {"participant.id": "5790001330552", "participant.role": "AGR", "gateway.hub_id": "45X-TPS-HUB-DEM8"}
    sets = [part for name, value in chosen.items() for part in ("--set", f"{name}={value}")]

    assert "participant.role = AGR  (--set)" in show(*sets, "settings", "show").splitlines()


def test_settings_that_cannot_be_used_are_refused_as_everywhere() -> None:
    refused = CliRunner().invoke(tps, ["settings", "show", "--kind", "hub"])

    assert isinstance(refused.exception, SettingsError)
    assert "hub.id" in str(refused.exception)
