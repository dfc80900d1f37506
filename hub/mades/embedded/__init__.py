"""A small AMQP 0-9-1 broker in the process, for the demo and the tests: unmodified AMQP clients talk to it.

It keeps the rules of the platform's broker (who may write, read and name what; confirms, returns, prefetch, redelivery,
delivery limit, dead letters, expiry at the head, bounded queues) and only in memory: it announces itself volatile.
"""

from hub.mades.embedded.queues import DeadLetter
from hub.mades.embedded.server import Component, EmbeddedBroker

__all__ = ["Component", "DeadLetter", "EmbeddedBroker"]
