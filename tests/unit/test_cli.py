"""The command `tps`: quick to answer, honest in its exit codes, every option with a twin in the environment."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hub.cli import ENTRY_POINTS, HELP, main, tps
from hub.errors import SettingsError, Unavailable
from hub.version import VERSION

HEAVY = {"aio_pika", "aiohttp", "asyncio", "asyncpg", "cryptography", "lxml", "msgspec", "structlog"}


def commands(group: click.Group, parent: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """All commands below a group, each with the context it would run in."""
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        yield command, context
        if isinstance(command, click.Group):
            yield from commands(command, context)


@pytest.fixture
def context() -> click.Context:
    return click.Context(tps, info_name="tps", auto_envvar_prefix="TPS")


def test_the_version_is_told_without_loading_what_the_commands_need() -> None:
    program = (
        "import sys\nfrom hub.cli import main\ntry: main(['--version'])\n"
        f"finally: print(*({HEAVY!r} & sys.modules.keys()))"
    )

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout == f"tps {VERSION}\n\n"


def test_the_list_of_commands_is_told_without_loading_them() -> None:
    program = (
        "import sys\nfrom hub.cli import main\ntry: main(['--help'])\n"
        "finally: print(*(name for name in sys.modules if '.verbs.' in name))"
    )

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert all(f"  {name} " in run.stdout for name in HELP)
    assert run.stdout.endswith("\n\n")


def test_the_short_help_of_each_command_is_its_own(context: click.Context) -> None:
    own = {name: tps.get_command(context, name) for name in tps.list_commands(context)}

    assert {name: command.get_short_help_str(limit=100) for name, command in own.items() if command} == HELP


def test_every_entry_point_is_loaded_under_its_own_name(context: click.Context) -> None:
    for entry in entry_points(group=ENTRY_POINTS):
        command = tps.get_command(context, entry.name)
        assert command is not None
        assert command.name == entry.name


def test_every_option_has_a_twin_in_the_environment(context: click.Context) -> None:
    twinless = [
        f"{own.command_path} {option.opts[0]}"
        for command, own in [(tps, context), *commands(tps, context)]
        for option in command.params
        if isinstance(option, click.Option) and not option.is_eager
        if not (option.envvar or (option.allow_from_autoenv and own.auto_envvar_prefix))
    ]

    assert twinless == []


def test_the_help_of_a_command_names_the_twins() -> None:
    run = CliRunner().invoke(tps, ["settings", "list", "--help"], prog_name="tps")

    assert "TPS_SETTINGS_LIST_MARKDOWN" in run.output


def test_the_twin_of_an_option_is_heeded() -> None:
    run = CliRunner().invoke(tps, ["settings", "list", "hub"], env={"TPS_SETTINGS_LIST_MARKDOWN": "1"}, prog_name="tps")

    assert run.output.startswith("| setting |")


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["settings", "list", "nonsense"]])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "Error: " in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(SettingsError("no id"), 2), (Unavailable("no database"), 1)])
def test_an_error_ends_in_words_and_not_in_a_stack_trace(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(tps, "get_command", lambda _context, _name: failing)
    with pytest.raises(SystemExit) as ended:
        main(["failing"])

    assert ended.value.code == code
    assert capsys.readouterr().err.endswith(f"{error}\n")


def test_the_table_of_settings_in_the_manual_is_what_the_program_says(root: Path) -> None:
    page = (root / "docs" / "operating.md").read_text("utf-8")

    for kind in ("hub", "gateway", "directory"):
        table = CliRunner().invoke(tps, ["settings", "list", "--markdown", kind], prog_name="tps").output
        assert f"<!-- settings: {kind} -->\n{table}<!-- end -->" in page, "run scripts/document-settings"
