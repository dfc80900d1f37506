"""Whether a process lives and may be sent work, and what it measures (floor 7). Shared by the hub and the gateways.

`GET /health/live` answers 200 as long as the loop turns. `GET /health/ready` answers 200 when work is taken, else 503
with the reason. `GET /metrics` is the Prometheus text format; no measure names a participant (NF3).
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Final

from aiohttp import web
from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.settings import Http

PREFIX: Final = "tps_"
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class Measure(Struct, frozen=True):
    """One number about this process. `counts` says that it only grows; with a `reason` there is one for each."""

    name: str
    help: str
    value: float
    counts: bool = False
    reason: str = ""


class Health(Collector):
    """What a process says of itself: `trouble` is None when it takes work, else why not; `measures` are its numbers."""

    def __init__(self, *, trouble: Callable[[], str | None], measures: Callable[[], Iterable[Measure]]) -> None:
        self._trouble, self._measures = trouble, measures
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Every measure, as Prometheus has it."""
        for _, group in groupby(self._measures(), key=lambda measure: measure.name):
            yield _family(list(group))

    def routes(self) -> Sequence[web.RouteDef]:
        """Routes to add to an application."""
        return [
            web.get("/health/live", self._live),
            web.get("/health/ready", self._ready),
            web.get("/metrics", self._metrics),
        ]

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _ready(self, _: web.Request) -> web.Response:
        trouble = self._trouble()
        return web.Response(text=f"{trouble or 'ready'}\n", status=503 if trouble else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": TEXT})


def _family(measures: Sequence[Measure]) -> Metric:
    first = measures[0]
    kind = CounterMetricFamily if first.counts else GaugeMetricFamily
    family = kind(PREFIX + first.name, first.help, labels=["reason"] if first.reason else [])
    for each in measures:
        family.add_metric([each.reason] if each.reason else [], each.value)
    return family


@asynccontextmanager
async def listening(
    app: web.Application, http: Http, *, grace_s: float = 5.0, tls: SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve an application as the settings say for as long as the block lasts; yields the port.

    `tls` replaces the settings' certificate. Requests under way get `grace_s` to end. A client that goes away cancels
    its handler.
    """
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=grace_s, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, http.host, http.port, ssl_context=tls or _tls(http))
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _tls(http: Http) -> SSLContext | None:
    if http.cert_file is None:
        return None
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(http.cert_file, http.key_file)
    return context
