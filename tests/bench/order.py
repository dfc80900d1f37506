"""What the processes of the bench say to each other: one line of JSON each time."""

import sys
from typing import Any

import msgspec
from msgspec import Struct

HUB, ALPHA, BROKER = "A01:45X-TPS-HUB-DEM8", "A10:5790000000012", "A01:45X-TPS-BRK-DEMN"


class Given(Struct, frozen=True):
    """What a component starts with."""

    code: str
    party: str
    folder: str
    database: str


class Order(Struct, frozen=True):
    """What a sender shall send; `name` begins the ids of the messages, in_transit is how many may be on their way."""

    name: str
    messages: int
    size: int
    in_transit: int


class Outcome(Struct, frozen=True):
    """For each state and message: seconds since the run began, and since the message was handed over."""

    failed: int
    accepted: list[tuple[float, float]]
    delivered: list[tuple[float, float]]
    received: list[tuple[float, float]]


class BrokerFiles(Struct, frozen=True):
    """What the embedded broker starts with: PEM files, and the suffix of the queues of each component."""

    certificate: str
    key: str
    authority: str
    suffixes: dict[str, tuple[str, str]]


def say(what: Any) -> None:  # Any: a Struct or what JSON knows
    sys.stdout.write(msgspec.json.encode(what).decode() + "\n")
    sys.stdout.flush()
