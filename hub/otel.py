"""Sends spans by OTLP over HTTP (floor 7). The only module that knows OpenTelemetry, which is an extra: `otel`.

Spans wait in the SDK's queue and leave in its own thread; what its collector does not take is lost, and nothing waits
for it. A trace has no root: every component tells its own steps, and none knows the spans of another.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, SpanContext, TraceFlags

from documents.values import Instant
from hub.traces import Span, trace_of

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
CLOSING_S: Final = 2.0
"""How long a process that ends waits for its last spans to leave."""
SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class _DocumentIds(RandomIdGenerator):
    """The trace id is that of the document a span is about; span ids are random."""

    trace_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id


class OtelTraces:
    """Hands spans of one component to a processor of the SDK; for one thread, that of the loop."""

    def __init__(self, component: str, processor: SpanProcessor) -> None:
        self._component, self._ids = component, _DocumentIds()
        resource = Resource.create({SERVICE_NAME: "tps", SERVICE_INSTANCE_ID: component})
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("tps")

    def __call__(self, told: Span) -> None:
        """See `hub.traces.Traces`."""
        if not told.document:
            return
        self._ids.trace_id, _ = trace_of(told.document)
        known = {
            "tps.component": self._component,
            "tps.document": told.document,
            "tps.revision": told.revision,
            "tps.business_type": told.business_type,
            "tps.state": told.state,
        }
        span = self._tracer.start_span(
            told.step.value,
            context=Context(),
            attributes={name: value for name, value in known.items() if value is not None},
            links=[Link(SpanContext(*trace_of(one), is_remote=True, trace_flags=SAMPLED)) for one in told.origins],
            start_time=_nanoseconds(told.begun),
        )
        span.end(_nanoseconds(told.ended))

    def close(self) -> None:
        """Let what waits leave; takes as long as the collector does."""
        self._provider.shutdown()


@asynccontextmanager
async def sending(url: str, component: str) -> AsyncIterator[OtelTraces]:
    """Spans of this component to the collector at `url`, for as long as the block lasts and a moment longer."""
    traces = OtelTraces(component, BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    try:
        yield traces
    finally:
        # A thread that the process need not wait for: the collector may be away.
        closing = Thread(target=traces.close, name="traces.close", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, CLOSING_S)


def _nanoseconds(instant: Instant) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1) * 1000
