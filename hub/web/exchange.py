"""What every component measures of its part in the exchange: hub, gateway and message box alike (floor 7).

The words are those that users of ECP look for. No measure names a participant (NF3): the only label is `reason`, a
code of the error catalogue, or `other` for what a partner calls by a name of its own.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from hub.mades.endpoint import EndpointStatus
from hub.mades.errors import CATALOGUE
from hub.web.health import Measure

DAY = timedelta(days=1)


def exchange_measures(status: EndpointStatus) -> Iterator[Measure]:
    """Counts since the start, what waits, the broker, the copy of the directory, and the own certificates."""
    yield Measure("messages_sent_total", "Messages the broker has confirmed.", status.sent, counts=True)
    yield Measure("messages_received_total", "Messages taken in.", status.received, counts=True)
    yield Measure("messages_repeated_total", "Messages that came again.", status.duplicates, counts=True)
    yield Measure("messages_retried_total", "Messages put off to be tried again.", status.retried, counts=True)
    yield from _by_reason("messages_failed_total", "Messages of ours that failed for good.", status.failed)
    yield from _by_reason("messages_refused_total", "Messages refused for good.", status.refused)
    yield from _by_reason("messages_dead_total", "Messages sent to the dead letters.", status.dead)
    yield Measure("messages_waiting_to_deliver", "Messages not delivered yet.", status.waiting_to_deliver)
    yield Measure("messages_oldest_waiting_s", "Age of the oldest of these.", status.oldest_waiting_s)
    yield Measure("messages_waiting_to_receive", "Messages handed over, not taken in yet.", status.waiting_to_receive)
    yield Measure("broker_connected", "1 while the connection to the broker stands.", status.is_connected)
    if standing := status.standing:
        age_s, left = standing.directory_age, standing.certificates_left / DAY
        yield Measure("directory_content_id", "Which content of the directory is in use.", standing.content_id)
        if age_s is not None:
            yield Measure("directory_age_s", "Time since the directory confirmed the copy.", age_s.total_seconds())
        yield Measure("certificate_days", "Days until the first certificate ends.", left)


def _by_reason(name: str, text: str, counts: Mapping[str, int]) -> Iterator[Measure]:
    known: dict[str, int] = {}
    for reason, count in counts.items():
        label = reason if reason in CATALOGUE else "other"
        known[label] = known.get(label, 0) + count
    for reason, count in sorted(known.items()):
        yield Measure(name, text, count, counts=True, reason=reason)
