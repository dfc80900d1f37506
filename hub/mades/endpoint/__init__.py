"""The endpoint: what turns an outbox into messages at the broker, and deliveries into committed effects.

A component's endpoint holds its outbox, its inbox and its road; it knows no document. See docs/mades.md.
"""

from hub.mades.endpoint.endpoint import Endpoint, EndpointStatus, Ping, PingFailed
from hub.mades.endpoint.inspection import Incoming
from hub.mades.endpoint.seals import Seals, Standing

__all__ = ["Endpoint", "EndpointStatus", "Incoming", "Ping", "PingFailed", "Seals", "Standing"]
