"""A grid with more assets than one document holds: all arrive, absent ones go, a lost part takes none (R11)."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from documents import registry
from documents.model import RefMarketDocument
from documents.parts import Part, Span, described, part_of
from documents.values import Identifier
from gateways.dso.rows import AssetOnGrid
from hub.mades.codec import DEFAULT_LIMITS
from hub.ports import Row, Sending
from hub.rows import DSO_ASSETS, RESPONSES, Response
from hub.values import Role
from tests.gateway_bench import Bench as Gateway
from tests.unit.test_dispatch import NOON, NORTH, Bench, asset, participant
from tests.unit.test_dso_gateway import on_grid, told

pytestmark = pytest.mark.slow

ASSETS = 25_000
SPANS = [
    Span(f"NDK:a{n - 1:05}" if n else "", f"NDK:a{n + 999:05}" if n + 1000 < ASSETS else "")
    for n in range(0, ASSETS, 1000)
]


@pytest.fixture
async def hub() -> Bench:
    hub = Bench()
    await hub.write(participant(NORTH, Role.DSO))
    return hub


def part(number: int, span: Span) -> Row:
    """What the hub owes for one part of the list."""
    mrid = f"{number:032}"
    answer = Response(mrid=mrid, request="e" * 32, subject="A95", role="A50", span=span)
    sending = Sending(business_type="TPS-ASSETS", document=mrid, expires=NOON + timedelta(minutes=15))
    return Row(view=RESPONSES, audience=NORTH, key=mrid, payload=answer, send=sending)


async def documents(hub: Bench, *rows: Row) -> list[RefMarketDocument]:
    """What leaves for these rows, or with the beat when there are none."""
    await hub.write(*rows)
    if not rows:
        await hub.dispatch.gather()
    messages = await hub.leaving()
    bodies = await hub.dispatch.render(messages)
    await hub.store.outbox.transported([message.message_id for message in messages], now=hub.clock.now())
    assert all(len(body) < DEFAULT_LIMITS.max_content_bytes for body in bodies.values())
    found = [registry.read(bodies[message.message_id]) for message in messages]
    return [document for document in found if isinstance(document, RefMarketDocument)]


def shown(gateway: Gateway) -> set[Identifier]:
    return {row.resource for row in gateway.brain.known.all("assets", AssetOnGrid).values() if not row.withdrawn}


def names(*numbers: int) -> set[str]:
    return {f"NDK:a{number:05}" for number in numbers}


async def test_a_grid_of_25000_assets_arrives_whole_and_loses_what_is_absent_and_nothing_else(hub: Bench) -> None:
    gateway = Gateway.dso()
    await hub.write(*(asset(f"a{number:05}") for number in range(ASSETS)))
    for document in await documents(hub):
        gateway.receive(document)
    assert len(shown(gateway)) == ASSETS

    gone = [0, 999, 1000, 12_345, ASSETS - 1]
    removed = [Row(view=DSO_ASSETS, audience=NORTH, key=key, payload=None) for key in sorted(names(*gone))]
    await hub.write(*removed)
    parts = await documents(hub, *(part(number, span) for number, span in enumerate(SPANS)))
    lost = parts.pop(12)
    for document in reversed(parts):
        gateway.receive(document)
    assert names(*range(ASSETS)) - shown(gateway) == names(0, 999, 1000, ASSETS - 1)

    gateway.receive(lost)
    assert names(*range(ASSETS)) - shown(gateway) == names(*gone)


async def test_a_part_that_has_become_empty_still_tells_that_its_assets_are_gone(hub: Bench) -> None:
    gateway = Gateway.dso()
    await hub.write(asset("a1"), asset("b1"), asset("b2"), asset("c1"))
    for document in await documents(hub):
        gateway.receive(document)
    gone = [Row(view=DSO_ASSETS, audience=NORTH, key=f"NDK:{name}", payload=None) for name in ("b1", "b2", "c1")]
    await hub.write(*gone)

    spans = (Span("", "NDK:a1"), Span("NDK:a1", "NDK:b2"), Span("NDK:b2", ""))
    for document in await documents(hub, *(part(number, span) for number, span in enumerate(spans))):
        gateway.receive(document)

    assert shown(gateway) == {"NDK:a1"}


@pytest.mark.parametrize("span", [Span("", "NDK:m"), Span("NDK:a", "NDK:m"), Span("NDK:m", "")])
@pytest.mark.parametrize("points", [(), ("NDK:p",), ("NDK:p", "A10:571313100000000010")])
def test_a_part_is_told_in_words_and_read_back(span: Span, points: tuple[str, ...]) -> None:
    part = Part(span, points)

    assert part_of(listed(described(part))) == part
    assert ("NDK:m" in span) == (span.after != "NDK:m")


@pytest.mark.parametrize("text", [described(Part()), "", "a heat pump", "List part: after all"])
def test_a_list_that_does_not_say_that_it_is_a_part_is_none(text: str | None) -> None:
    assert part_of(listed(text)) is None


def listed(description: str | None) -> RefMarketDocument:
    return told("d1", replace(on_grid(Identifier("NDK:m")), description=description), at=NOON, process="A39")
