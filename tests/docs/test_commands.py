"""The manual and the program know the same commands."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hub.cli import tps

pytestmark = pytest.mark.slow

WORD = re.compile(r"[a-z][a-z0-9-]*")
TAKES_A_VALUE = {"--settings", "--set", "--management", "--password-file", "--ca"}


def pages(root: Path) -> str:
    """Everything that people read about the commands."""
    return "\n".join(page.read_text("utf-8") for page in (root / "README.md", *sorted((root / "docs").rglob("*.md"))))


def typed(text: str) -> Iterator[list[str]]:
    """What stands after `tps` in code, word by word, without the options of groups."""
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    for line in "\n".join(code).splitlines():
        for found in re.finditer(r"(?:^|[`($\s])tps ((?:[^`#;|&]|&&)+)", line):
            words = found[1].split()
            yield [
                word
                for before, word in zip(["", *words], words, strict=False)
                if not word.startswith("-") and before not in TAKES_A_VALUE
            ]


def leaves(group: click.Group, context: click.Context, path: str = "tps") -> Iterator[str]:
    """Every command that does something, by the words that lead to it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, context, f"{path} {name}")
        else:
            yield f"{path} {name}"


def unknown(words: list[str]) -> str | None:
    """The first word that names no command where one is expected."""
    command: click.Command | None = tps
    for word in words:
        if not isinstance(command, click.Group) or not WORD.fullmatch(word):
            return None
        command = command.get_command(click.Context(command), word)
        if command is None:
            return word
    return None


def test_every_command_is_in_the_manual(root: Path) -> None:
    told = {f"tps {' '.join(words[:n])}" for words in typed(pages(root)) for n in range(1, len(words) + 1)}

    assert sorted(set(leaves(tps, click.Context(tps))) - told) == []


@pytest.mark.parametrize("page", ["README.md", "docs/operating.md", "docs/documents.md", "docs/rest.md"])
def test_every_command_of_a_page_exists(root: Path, page: str) -> None:
    text = (root / page).read_text("utf-8")

    assert [f"tps {' '.join(words)}" for words in typed(text) if unknown(words)] == []
