"""Everything one participant can see, for the proofs of privacy (NF3, R36-R38): answers, headers, documents, log lines.

A view is a list of lines of text, so that two can be compared byte for byte and one can be searched for words. What is
made by chance or by the machine's own clock is left out: ids of transport messages, the Date header, ports, durations.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
import structlog

from gateways.demo.cast import PLAYERS
from hub.store.memory import MemoryStore
from tests.acceptance.platform import WHOSE, Answer, Client, Platform

MACHINE = frozenset({"duration_ms", "url", "timestamp"})
"""Keys of log lines that differ from one run to the next."""
DATE = "Date"
NOBODYS = "0123456789abcdef0123456789abcdef"
"""A well-formed mRID that nobody has used."""

OPEN = ("/ping", "/nothing/here")
"""Asked for without being about anybody."""

Logs = Mapping[str, list[str]]


@contextmanager
def logs_by_participant() -> Iterator[Logs]:
    """Log lines as they are written, by the participant whose gateway wrote them (`hub` for the hub)."""
    lines: dict[str, list[str]] = {"hub": [], "": [], **{player.name: [] for player in PLAYERS}}

    def keep(_: Any, level: str, event: Any) -> Any:  # structlog's own signature
        kept = {key: str(value) for key, value in event.items() if key not in MACHINE}
        lines[WHOSE.get()].append(json.dumps({"level": level, **kept}, sort_keys=True))
        raise structlog.DropEvent

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines[WHOSE.get()].append(record.getMessage())

    before, keeper = structlog.get_config(), Keeper()
    structlog.configure(processors=[structlog.processors.format_exc_info, keep], cache_logger_on_first_use=False)
    logging.getLogger().addHandler(keeper)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(keeper)
        structlog.configure(**before)


def make_ids_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids that gateways make by chance follow from who makes them and how many it made, as in the other history."""
    numbers = {player.name: count(1) for player in PLAYERS}

    class Repeatable:
        def __init__(self) -> None:
            whose = WHOSE.get()
            self.hex = hashlib.sha256(f"{whose}/{next(numbers[whose])}".encode()).hexdigest()[:32]

    for module in ("gateways.agr.routes", "gateways.dso.routes", "gateways.gateway"):
        monkeypatch.setattr(f"{module}.uuid4", Repeatable)


async def whole_view(platform: Platform, client: Client, logs: Logs) -> list[str]:
    """Every line a participant can see. Its clients have asked for everything there is, and for what is not there.

    The lines of its log come sorted: which of its own loops wrote first is the machine's doing.
    """
    paths = _dso_paths(client) if client.player.role == "DSO" else _agr_paths(client)
    lines = [line async for line in _asked(client, [path async for path in paths])]
    lines += [line for answer in client.writes for line in shown(answer)]
    lines += [line for arrival in platform.arrived[client.player.name] for line in _message(arrival.message)]
    return lines + sorted(logs[client.player.name])


async def measured(platform: Platform, client: Client) -> list[str]:
    """What a gateway tells without a token beside the contract, for the search for words; numbers of commits vary."""
    lines = []
    for path in ("/metrics", "/health/ready"):
        async with platform.session.get(client.gateway.url + path) as answer:
            lines += [f"{name}: {value}" for name, value in answer.headers.items()] + [await answer.text()]
    return lines


async def _asked(client: Client, paths: list[str]) -> Any:  # an async iterator of lines
    for path in paths:
        answer = await client.call("GET", path)
        yield f"GET {path}"
        for line in shown(answer):
            yield line


def shown(answer: Answer) -> list[str]:
    """An answer as lines: status, headers, body."""
    headers = [f"{name}: {value}" for name, value in answer.headers.items() if name != DATE]
    return [str(answer.status), *headers, answer.content.decode()]


def _message(message: Any) -> list[str]:  # hub.mades.message.Message
    envelope = [
        message.sender,
        message.receiver,
        message.business_type,
        message.ba_message_id,
        message.generated.isoformat(),
        message.expires.isoformat(),
        str(len(message.content)),
    ]
    return [" ".join(envelope), message.content.decode()]


async def _agr_paths(client: Client) -> Any:  # an async iterator of paths
    for path in ("/assets", "/schedules", "/limits", "/limits/active", "/limits/changes?after=0&timeout=0", *OPEN):
        yield path
    for item in await client.items("/assets"):
        yield f"/assets/{item['id']}"
    for item in await client.items("/schedules"):
        yield f"/schedules/{item['mrid']}"
    for item in await client.items("/limits"):
        yield f"/limits/{item['mrid']}"
        yield f"/limits/{item['mrid']}/explanation"
    for path in (f"/limits/{NOBODYS}", f"/schedules/{NOBODYS}", f"/messages/{NOBODYS}", "/assets/nobody"):
        yield path
    for mrid in _sent(client):
        yield f"/messages/{mrid}"


async def _dso_paths(client: Client) -> Any:  # an async iterator of paths
    for path in ("/connection-points", "/assets", "/assets/changes?after=0&timeout=0", "/limits", *OPEN):
        yield path
    for path in ("/schedules", "/schedules/changes?after=0&timeout=0"):
        yield path
    for item in await client.items("/limits"):
        yield f"/limits/{item['kind']}/{item['mrid']}"
    for path in (f"/limits/foreseen/{NOBODYS}", f"/messages/{NOBODYS}", "/connection-points/nobody"):
        yield path
    for mrid in _sent(client):
        yield f"/messages/{mrid}"


def _sent(client: Client) -> list[str]:
    """The mRIDs of what a participant has sent, oldest first."""
    store = client.platform.stores[client.player.name]
    assert isinstance(store, MemoryStore)
    mine = [d for d in client.platform.documents("hub") if d.sender.id == client.gateway.who.me.id]
    return list(dict.fromkeys(document.mrid for document in mine if not hasattr(document, "received")))
