"""The business side of the bench: a desk whose brain sends and takes in opaque documents, and the documents."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from documents.values import Identifier
from hub.mades.message import BusinessType
from hub.ports import OutgoingMessage, Recorded, Row, RowReader, Sending

OUT = "bench_out"
KIND = BusinessType.SCHEDULES
TTL = timedelta(hours=1)


class Send(Struct, frozen=True):
    """Command: a document has to leave."""

    message_id: str
    receiver: str
    content: bytes


class Take(Struct, frozen=True):
    """Command: a document has come."""

    message_id: str
    sender: str


class Sent(Struct, frozen=True, tag="Sent.v1"):
    message_id: str


class Taken(Struct, frozen=True, tag="Taken.v1"):
    message_id: str
    sender: str


class LoadBrain:
    """A `hub.ports.Brain` that lets everything through: one event for each document, and a row for one that leaves."""

    def __init__(self) -> None:
        self.leaving: dict[str, Send] = {}

    def encode(self, event: Sent | Taken) -> tuple[str, bytes]:
        return str(event.__struct_config__.tag), msgspec.msgpack.encode(event)

    def decode(self, topic: str, state: bytes) -> Sent | Taken:
        return msgspec.msgpack.decode(state, type=Sent | Taken)

    def stream_of(self, event: Sent | Taken) -> str:
        return f"document/{event.message_id}"

    def decide(self, command: Send | Take, now: datetime) -> Sequence[Sent | Taken]:
        if isinstance(command, Take):
            return (Taken(command.message_id, command.sender),)
        self.leaving[command.message_id] = command
        return (Sent(command.message_id),)

    def rows(self, recorded: Recorded[Any]) -> Sequence[Row]:  # Any: as the port has it
        command = self.leaving.pop(recorded.event.message_id, None)
        if command is None:
            return ()
        sending = Sending(
            business_type=KIND,
            document=command.message_id,
            expires=recorded.at + TTL,
            message_id=command.message_id,
        )
        row = Row(
            view=OUT,
            audience=Identifier(command.receiver),
            key=command.message_id,
            payload=command.content,
            send=sending,
        )
        return (row,)

    def evolve(self, recorded: Recorded[Any]) -> None:
        """Nothing depends on what came before."""

    def savepoint(self) -> int:
        return 0

    def rollback(self, savepoint: int) -> None:
        """There is no state."""


async def rendered(rows: RowReader, messages: Sequence[OutgoingMessage]) -> Mapping[str, bytes]:
    """The documents of messages, read from their rows together as hub and gateways do."""
    bodies = {}
    slices = await rows.slices([message.source for message in messages if message.source])
    for message, (item,) in zip(messages, slices, strict=True):
        assert item.payload is not None
        bodies[message.message_id] = msgspec.msgpack.decode(item.payload, type=bytes)
    return bodies


def document(mrid: str, size: int) -> bytes:
    """A schedule in the shape of a GL_MarketDocument with as many points as make `size` bytes; no two are alike."""
    chance = random.Random(mrid)
    parts = [_HEAD.format(mrid=mrid)]
    length, position = len(parts[0]) + len(_TAIL), 1
    while length < size:
        point = _POINT.format(position=position, quantity=chance.randrange(1_000_000))
        parts.append(point)
        length, position = length + len(point), position + 1
    return "".join([*parts, _TAIL]).encode()


_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-n:glmarketdocument:1:0">
  <mRID>{mrid}</mRID>
  <revisionNumber>1</revisionNumber>
  <type>A14</type>
  <process.processType>A01</process.processType>
  <sender_MarketParticipant.mRID codingScheme="A10">5790000000012</sender_MarketParticipant.mRID>
  <sender_MarketParticipant.marketRole.type>A27</sender_MarketParticipant.marketRole.type>
  <receiver_MarketParticipant.mRID codingScheme="A01">45X-TPS-HUB-DEM8</receiver_MarketParticipant.mRID>
  <receiver_MarketParticipant.marketRole.type>A04</receiver_MarketParticipant.marketRole.type>
  <createdDateTime>2026-06-10T00:00:00Z</createdDateTime>
  <time_Period.timeInterval>
    <start>2026-06-10T00:00Z</start>
    <end>2026-06-11T00:00Z</end>
  </time_Period.timeInterval>
  <TimeSeries>
    <mRID>1</mRID>
    <businessType>A01</businessType>
    <quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name>
    <curveType>A01</curveType>
    <registeredResource.mRID codingScheme="A10">571313100000000010</registeredResource.mRID>
    <Period>
      <timeInterval>
        <start>2026-06-10T00:00Z</start>
        <end>2026-06-11T00:00Z</end>
      </timeInterval>
      <resolution>PT15M</resolution>
"""
_POINT = """      <Point>
        <position>{position}</position>
        <quantity>{quantity}</quantity>
      </Point>
"""
_TAIL = """    </Period>
  </TimeSeries>
</GL_MarketDocument>
"""
