"""The list of measures in the manual is that of the code: each name with its help, and none too many (NF3)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PREFIX = "tps_"


def in_code(root: Path) -> Iterator[tuple[str, str]]:
    """Name and help of every measure that a process may tell."""
    for package in ("hub", "gateways"):
        for file in (root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and _name(node.func) in {"Measure", "_by_reason"}:
                    texts = [str(each.value) for each in node.args[:2] if isinstance(each, ast.Constant)]
                    if len(texts) == 2:
                        yield PREFIX + texts[0], texts[1]


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


def test_every_measure_is_in_the_manual_and_the_manual_names_no_other(root: Path) -> None:
    page = (root / "docs" / "operating.md").read_text("utf-8")
    table = page.partition("<!-- measures -->")[2].partition("<!-- end -->")[0]

    listed = set(re.findall(r"^\| `(tps_\w+)` \| (.+?) \|", table, re.MULTILINE))

    assert len(listed) > 15
    assert listed == set(in_code(root))


def test_nf3_no_measure_has_a_label_but_the_reason(root: Path) -> None:
    health = (root / "hub" / "web" / "health.py").read_text("utf-8")

    assert re.findall(r"labels=(.*?) if", health) == ['["reason"]']
