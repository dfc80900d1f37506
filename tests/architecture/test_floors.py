"""The floors of docs/map.md that an import contract cannot say: every module has one, and what each may use."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGES = ("documents", "hub", "gateways", "raml")

ANY = None


class Floor(NamedTuple):
    """Modules that begin with one of `modules`, and the libraries they may use beside ours; ANY: whatever is locked."""

    number: int
    modules: tuple[str, ...]
    libraries: frozenset[str] | None


LANGUAGE = frozenset({"msgspec", "stdnum"})
FLOORS = (
    Floor(0, ("documents.values", "documents.codes", "documents.identifiers", "documents.errors"), LANGUAGE),
    Floor(1, ("documents",), LANGUAGE | {"lxml", "isodate"}),
    Floor(2, ("hub.events", "hub.commands", "hub.rows", "hub.values"), frozenset({"msgspec"})),
    Floor(2, ("hub.errors", "hub.ports", "hub.mades.message", "hub.mades.errors"), frozenset({"msgspec"})),
    Floor(
        2, ("hub.mades.certificates", "hub.version", "hub.tagged", "hub.restored", "hub.traces"), frozenset({"msgspec"})
    ),
    Floor(2, ("hub.mades.box",), frozenset({"msgspec"})),
    Floor(3, ("hub.mades.box.brain", "hub.mades.box.story", "hub.mades.box.queue_messages"), frozenset({"msgspec"})),
    Floor(3, ("hub.aggregates", "hub.projections", "hub.state", "hub.brain"), frozenset({"msgspec", "eventsourcing"})),
    Floor(3, ("hub.audit",), frozenset({"msgspec"})),
    Floor(3, ("hub.directory",), frozenset({"msgspec", "lxml"})),
    Floor(3, ("hub.mades.exchange", "hub.mades.paths", "hub.mades.manifest"), frozenset({"msgspec", "lxml"})),
    Floor(3, ("hub.mades.topology", "hub.mades.mirror"), frozenset({"msgspec"})),
    Floor(3, ("hub.mades.codec",), frozenset({"msgspec", "lxml"})),
    Floor(4, ("hub.intake", "hub.compose", "hub.history", "hub.implications"), frozenset({"msgspec"})),
    Floor(5, ("hub.store", "hub.aside", "hub.clock", "hub.mades.amqp", "hub.mades.embedded", "hub.mades.memory"), ANY),
    Floor(5, ("hub.collector", "hub.mades.seal", "hub.mades.keyring", "hub.mades.cipher", "hub.mades.signature"), ANY),
    Floor(5, ("hub.mades.pki", "hub.mades.directory_client", "hub.mades.provision"), ANY),
    Floor(5, ("hub.mades.management", "hub.mades.tls", "hub.mades.approach"), ANY),
    Floor(5, ("hub.mades.credentials", "hub.mades.directory_copy", "hub.mades.enrolment", "hub.mades.https"), ANY),
    Floor(6, ("hub.desk", "hub.lanes", "hub.feed", "hub.dispatch", "hub.mades.endpoint", "hub.mades.membership"), ANY),
    Floor(5, ("hub.mades.notary",), ANY),
    Floor(6, ("hub.mades.backlog", "hub.retention", "hub.checkpoints", "hub.rebuild"), ANY),
    Floor(
        7,
        ("hub.mades.box.operations", "hub.mades.box.running", "hub.mades.box.queues", "hub.mades.box.queue_broker"),
        ANY,
    ),
    Floor(
        7,
        ("hub.web", "hub.cli", "hub.__main__", "hub.settings", "hub.settings_sources", "hub.logs", "hub.otel"),
        ANY,
    ),
    Floor(7, ("hub.app", "hub.process", "hub.directory_service", "hub.doctor", "hub.verbs"), ANY),
    Floor(7, ("gateways", "raml"), ANY),
)
PURE = range(5)
"""Floors without I/O: bytes and values in, bytes and values out."""

IMPURE = {"aio_pika", "aiohttp", "asyncio", "asyncpg", "click", "psycopg", "sqlite3", "structlog"}
"""What must not even be loaded by a pure floor."""

SURROUNDINGS = {"logging", "os", "random", "secrets", "socket", "subprocess", "tempfile", "time", "uuid"}
"""Modules of the standard library that ask the world: the facts, the core and the seams are given what they need."""

CLOCK = {"now", "utcnow", "today"}


OUTWARD = ("hub.compose", "hub.dispatch", "hub.implications", "hub.web")
"""What leads outward sees rows, never what happened."""

INWARD = ("hub.events", "hub.aggregates")

FROM_HUB = (
    "hub.aside",
    "hub.clock",
    "hub.desk",
    "hub.dispatch",
    "hub.errors",
    "hub.feed",
    "hub.logs",
    "hub.mades",
    "hub.ports",
    "hub.process",
    "hub.restored",
    "hub.settings",
    "hub.store",
    "hub.traces",
    "hub.values",
    "hub.verbs",
    "hub.web.health",
    "hub.web.exchange",
    "hub.web.files",
    "hub.web.own",
    "hub.web.runner",
    "hub.web.sockets",
    "hub.web.streams",
)
"""What gateways may use of the hub: its machine, its words, and the charts of one participant."""

DEMO = "gateways.demo"
"""Runs hub and gateways in one process, so it builds the hub's app too."""


def modules_of(root: Path) -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            yield ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"), path


def floor_of(module: str) -> Floor | None:
    """The floor whose prefix fits most closely."""
    fits = [(len(prefix), floor) for floor in FLOORS for prefix in floor.modules if within(module, (prefix,))]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None


def is_empty(path: Path) -> bool:
    """A file without code: it holds a package together and has no floor of its own."""
    return all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text("utf-8")).body)


def imports(path: Path) -> set[str]:
    """Full names of all that a file imports, wherever in it; `from a import b` may be a module and counts as a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def libraries(path: Path) -> set[str]:
    """Top names of all that a file imports."""
    return {name.partition(".")[0] for name in imports(path)}


def within(module: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a module is one of these, or inside one."""
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


def test_every_module_has_a_floor(root: Path) -> None:
    homeless = [module for module, path in modules_of(root) if not floor_of(module) and not is_empty(path)]

    assert homeless == [], "give each a floor here and a layer in pyproject.toml"


def test_a_floor_uses_only_the_libraries_it_is_allowed(root: Path) -> None:
    ours_or_standard = set(PACKAGES) | sys.stdlib_module_names
    trespasses = [
        (module, sorted(used))
        for module, path in modules_of(root)
        if (floor := floor_of(module)) and floor.libraries is not ANY
        if (used := libraries(path) - ours_or_standard - floor.libraries)
    ]

    assert trespasses == []


def test_what_leads_outward_never_sees_events_or_aggregates(root: Path) -> None:
    trespasses = [
        (module, name)
        for module, path in modules_of(root)
        if within(module, OUTWARD)
        for name in imports(path)
        if within(name, INWARD)
    ]

    assert trespasses == []


def test_gateways_use_only_the_machine_of_the_hub(root: Path) -> None:
    trespasses = [
        (module, name)
        for module, path in modules_of(root)
        if within(module, ("gateways",)) and not within(module, (DEMO, "gateways.verbs.demo"))
        for name in imports(path)
        if within(name, ("hub",)) and not within(name, FROM_HUB)
    ]

    assert trespasses == []


def test_facts_core_and_seams_ask_nothing_of_the_world(root: Path) -> None:
    trespasses = [
        (module, sorted(used))
        for module, path in modules_of(root)
        if (floor := floor_of(module)) and 2 <= floor.number <= 4
        if (used := libraries(path) & (SURROUNDINGS | IMPURE))
    ]

    assert trespasses == []


def test_no_pure_floor_reads_a_clock(root: Path) -> None:
    readers = [
        (module, node.lineno)
        for module, path in modules_of(root)
        if (floor := floor_of(module)) and floor.number in PURE
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK
    ]

    assert readers == [], "time comes in as an argument"


def test_the_pure_floors_load_no_loop_no_driver_and_no_web(root: Path) -> None:
    pure = [module for module, _ in modules_of(root) if (floor := floor_of(module)) and floor.number in PURE]
    program = (
        f"import importlib, sys\nfor name in {pure!r}: importlib.import_module(name)\n"
        f"print(*sorted({IMPURE!r} & sys.modules.keys()))"
    )

    run = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "", "")
    assert len(pure) > 10


@pytest.mark.parametrize(
    ("module", "number"), [("documents.values", 0), ("documents.xml", 1), ("hub.mades.codec", 3), ("hub.store.log", 5)]
)
def test_the_closest_name_decides_the_floor(module: str, number: int) -> None:
    floor = floor_of(module)

    assert floor is not None
    assert floor.number == number


def test_a_name_that_only_begins_alike_has_no_floor() -> None:
    assert floor_of("hub.storehouse") is None
