"""The gateway of an distribution system operator, put together (floor 7)."""

from gateways.dso.charts import CHARTS
from gateways.dso.routes import ROUTES
from gateways.dso.trade import GridTrade
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
    """The gateway; `run` it. Asks the hub for assets and schedules at the first start and daily (R13)."""
    return Gateway(
        settings,
        GridTrade(identity(settings)),
        ROUTES,
        api="dso",
        charts=CHARTS,
        subjects=("A95", "A67"),
        store=store,
        transport=transport,
        seals=seals,
        clock=clock,
        traces=traces,
    )
