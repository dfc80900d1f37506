"""The gateway of an aggregator or balance responsible party, put together (floor 7)."""

from gateways.agr.charts import CHARTS
from gateways.agr.routes import ROUTES
from gateways.agr.trade import AggregatorTrade
from gateways.gateway import Gateway, identity
from hub.mades.endpoint import Seals
from hub.ports import Clock, Transport
from hub.settings import GatewaySettings
from hub.store.memory import MemoryStore
from hub.store.postgres import PostgresStore
from hub.traces import Traces, no_traces


def build(
    settings: GatewaySettings,
    *,
    store: PostgresStore | MemoryStore,
    transport: Transport,
    seals: Seals,
    clock: Clock,
    traces: Traces = no_traces,
) -> Gateway:
    """The gateway; `run` it. Asks the hub for its limits at the first start and daily (R13)."""
    return Gateway(
        settings,
        AggregatorTrade(identity(settings)),
        ROUTES,
        api="agr",
        charts=CHARTS,
        subjects=("A53",),
        store=store,
        transport=transport,
        seals=seals,
        clock=clock,
        traces=traces,
    )
