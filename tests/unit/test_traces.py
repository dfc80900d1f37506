"""Traces: the way of one limit through all components, and that no component's spans hold anything of another (NF3)."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import chain
from threading import Thread

import pytest
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from documents.values import Identifier
from hub.clock import ORIGIN
from hub.errors import SettingsError
from hub.otel import OtelTraces
from hub.process import tracing
from hub.traces import Span, Step, no_traces, trace_of
from tests.gateway_world import A1, A2, ALPHA, BRAVO, NORTH, P1, P2, Client, World, asset
from tests.system import HUB
from tests.unit.test_gateway_rest import foreseen

MRID = "limit-of-north"
ATTRIBUTES = {"tps.component", "tps.document", "tps.revision", "tps.business_type", "tps.state"}


class Told:
    """What every component has told, each to a collector of its own."""

    def __init__(self) -> None:
        self.exporters: dict[str, InMemorySpanExporter] = {}

    def traces(self, component: Identifier) -> OtelTraces:
        """Where a component tells its spans."""
        exporter = self.exporters.setdefault(component.partition(":")[2], InMemorySpanExporter())
        return OtelTraces(component, SimpleSpanProcessor(exporter))

    def by(self, component: str, document: str) -> list[ReadableSpan]:
        """A component's spans of one document, in the order they were told."""
        trace, _ = trace_of(document)
        return [span for span in self.exporters[component].get_finished_spans() if span.context.trace_id == trace]


class Scene:
    """A limit of a DSO on an asset of each of two aggregators, fetched by both. `copies`: its mRID there."""

    def __init__(self, world: World, told: Told) -> None:
        self.world, self.told = world, told
        self.copies: dict[str, str] = {}

    async def play(self) -> None:
        """Everybody registers, the limit is written, both fetch it."""
        north = await self.world.dso(NORTH)
        clients = {ALPHA: await self.world.agr(ALPHA), BRAVO: await self.world.agr(BRAVO)}
        await north.write("PUT", "/connection-points", {"connectionPoints": [{"id": P1}, {"id": P2}]})
        await clients[ALPHA].write("PUT", "/assets", {"assets": [asset(A1, P1, consumes=7_000)]})
        await clients[BRAVO].write("PUT", "/assets", {"assets": [asset(A2, P2, consumes=5_000)]})
        await north.write("POST", "/limits/foreseen", foreseen(1234, 567, mrid=MRID, assets=(A1, A2)))
        for name, client in clients.items():
            (limit,) = (await self._fetched(client))["items"]
            self.copies[name] = limit["mrid"]
        await self.world.system.quiet()

    @staticmethod
    async def _fetched(client: Client) -> dict[str, list[dict[str, str]]]:
        answer: dict[str, list[dict[str, str]]] = await client.get("/limits/changes?timeout=30")
        return answer


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    told = Told()
    async with World.running(traces=told.traces) as world:
        scene = Scene(world, told)
        await scene.play()
        yield scene


def steps(spans: Sequence[ReadableSpan]) -> set[str]:
    return {span.name for span in spans}


def values(spans: Sequence[ReadableSpan]) -> set[str]:
    """Every value that a component's spans carry, whatever it stands under."""
    mappings = chain.from_iterable((span.attributes or {}, span.resource.attributes) for span in spans)
    return {str(value) for mapping in mappings for value in mapping.values()}


async def test_a_limit_is_one_trace_from_the_request_at_its_dso_to_the_hubs_decision(scene: Scene) -> None:
    at_gateway, at_hub = scene.told.by(NORTH, MRID), scene.told.by(HUB, MRID)

    assert steps(at_gateway) == {"write", "send", "receive"}
    assert steps(at_hub) == {"receive", "decide", "send"}, "the answer to the DSO is sent in the trace of its document"
    (decided,) = [span for span in at_hub if span.name == "decide"]
    assert decided.attributes == {
        "tps.component": f"A01:{HUB}",
        "tps.document": MRID,
        "tps.business_type": "TPS-FORESEEN",
        "tps.state": "A01",
    }
    (written,) = [span for span in at_gateway if span.name == "write"]
    assert (written.attributes or {})["tps.state"] == "accepted"
    assert (written.attributes or {})["tps.revision"] == 1


@pytest.mark.parametrize("agr", [ALPHA, BRAVO])
async def test_each_copy_is_a_trace_of_its_own_from_the_hub_to_the_long_polls_answer(scene: Scene, agr: str) -> None:
    copy = scene.copies[agr]

    assert steps(scene.told.by(HUB, copy)) == {"send"}
    assert steps(scene.told.by(agr, copy)) == {"receive", "answer"}


async def test_only_the_hubs_span_of_a_copy_is_linked_to_the_limit(scene: Scene) -> None:
    trace, _ = trace_of(MRID)
    linked = {
        (component, span.name, (span.attributes or {})["tps.document"], link.context.trace_id)
        for component, exporter in scene.told.exporters.items()
        for span in exporter.get_finished_spans()
        for link in span.links
    }

    assert linked == {(HUB, "send", copy, trace) for copy in scene.copies.values()}


async def test_a_gateways_spans_hold_nothing_that_its_participant_does_not_know(scene: Scene) -> None:
    """NF3, R36: neither who else takes part, nor another's documents or trace, nor what a document says."""
    everybody = {NORTH, ALPHA, BRAVO}
    documents = {NORTH: {MRID}, ALPHA: {scene.copies[ALPHA]}, BRAVO: {scene.copies[BRAVO]}}
    said = {A1, A2, P1, P2, "1234", "567", "7000", "5000"}
    for me in sorted(everybody):
        spans = scene.told.exporters[me].get_finished_spans()
        foreign = (everybody - {me}) | set().union(*(documents[other] for other in everybody - {me})) | said

        found = values(spans)

        assert documents[me] <= found, "what is searched for would be found"
        assert [value for value in found if any(word in value for word in foreign)] == []
        assert set().union(*(span.attributes or {} for span in spans)) <= ATTRIBUTES
        strangers = {trace_of(document)[0] for document in foreign}
        assert strangers.isdisjoint(span.context.trace_id for span in spans)
        assert all(span.parent is None and not span.events for span in spans)


def test_off_by_default_nothing_of_opentelemetry_is_loaded() -> None:
    program = (
        "import sys, gateways.process, gateways.agr.app, gateways.dso.app, hub.app.process\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )

    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


async def test_without_an_address_nobody_is_told() -> None:
    async with tracing("", "me") as traces:
        assert traces is no_traces


async def test_without_its_library_the_setting_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "hub.otel")
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    monkeypatch.delattr("hub.otel", raising=False)

    with pytest.raises(SettingsError, match="Install the extra `otel`"):
        async with tracing("http://127.0.0.1:4318/v1/traces", "me"):
            pass


class Collector(BaseHTTPRequestHandler):
    """Takes spans as a collector of OTLP does."""

    taken: list[ExportTraceServiceRequest] = []  # noqa: RUF012 # the handler of each request is a new one

    def do_POST(self) -> None:
        self.taken.append(ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the library's name
        """Nothing is told."""


async def test_what_waits_leaves_for_the_collector_when_the_component_ends() -> None:
    server = HTTPServer(("127.0.0.1", 0), Collector)
    Thread(target=server.serve_forever, daemon=True).start()

    async with tracing(f"http://127.0.0.1:{server.server_port}/v1/traces", "me") as traces:
        traces(Span(step=Step.SEND, document="document", begun=ORIGIN, ended=ORIGIN))
        traces(Span(step=Step.SEND, document="", begun=ORIGIN, ended=ORIGIN))
    await asyncio.to_thread(server.shutdown)
    server.server_close()

    (request,) = Collector.taken
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert (span.name, int.from_bytes(span.trace_id)) == ("send", trace_of("document")[0])
    assert span.start_time_unix_nano == span.end_time_unix_nano == int(ORIGIN.timestamp()) * 10**9
