"""What the files in docker/ may name: commands of the command line, measures of the processes."""

import re
from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner

from hub.cli import tps


def refused(words: Sequence[str]) -> str:
    """Why the command line does not know these words; empty when it does."""
    result = CliRunner().invoke(tps, [*words, "--help"])
    return result.output if result.exit_code else ""


def measures(root: Path) -> set[str]:
    """The names in the list of the manual, which a test keeps equal to the code."""
    page = (root / "docs" / "operating.md").read_text("utf-8")
    return set(re.findall(r"^\| `(tps_\w+)` \|", page.partition("<!-- measures -->")[2], re.MULTILINE))
