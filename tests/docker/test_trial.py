"""The trial with containers (`make test-containers`) is what docs/containers.md says it is."""

import re
from pathlib import Path

from tests.containers.trial import STAGES


def test_every_stage_is_told_in_its_order(root: Path) -> None:
    text = (root / "docs" / "containers.md").read_text("utf-8")
    table = text[text.index("| stage | what is tried |") :]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)

    assert re.findall(r"`(\w+)`", " ".join(rows)) == [each.__name__ for each in STAGES]


def test_every_stand_in_says_that_it_is_none_to_use(root: Path) -> None:
    files = sorted((root / "docker" / "test").glob("*.Dockerfile"))

    assert len(files) == 5
    assert [file.name for file in files if "for tests, never for use" not in file.read_text("utf-8").lower()] == []
