"""The map leads where it says: every file it names exists, and has what it is said to have."""

import re
from pathlib import Path

import pytest

PAGES = [
    "amqp10.md",
    "containers.md",
    "audit.md",
    "documents.md",
    "glossary.md",
    "mades.md",
    "map.md",
    "operating.md",
    "performance.md",
    "privacy.md",
    "rest.md",
    "retention.md",
    "streams.md",
]
_FILE = re.compile(r"`((?:documents|hub|gateways|raml|tests)/[\w/.]*)`")
_IN_FILE = re.compile(r"`((?:documents|hub|gateways)/[\w/.]+\.py)` \(?`(\w+)`")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_a_page_names_exists(root: Path, page: str) -> None:
    text = (root / "docs" / page).read_text()

    assert [name for name in _FILE.findall(text) if not (root / name).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(root: Path, page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (root / "docs" / page).read_text())

    assert [link for link in links if not link.startswith("http") and not (root / "docs" / link).exists()] == []


def test_every_function_of_the_map_is_where_it_says(root: Path) -> None:
    places = _IN_FILE.findall((root / "docs" / "map.md").read_text())

    assert len(places) > 10
    missing = [
        (file, name) for file, name in places if not re.search(rf"(def|class) {name}\b", (root / file).read_text())
    ]
    assert missing == []


def test_every_rule_is_named_by_a_test(root: Path) -> None:
    named = {
        int(number)
        for file in (root / "tests").rglob("*.py")
        for number in re.findall(r"test_r(\d\d?)_|\bR(\d\d?)\b", file.read_text())
        for number in number
        if number
    }

    assert set(range(1, 39)) - named == set()
