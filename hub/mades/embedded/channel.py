"""One channel of a session: what a client may ask for, and what it is told when it may not."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.commands import Basic, Channel, Confirm, Exchange, Queue
from pamqp.header import ContentHeader

from hub.mades.embedded.queues import Stored, WaitingQueue

if TYPE_CHECKING:
    from hub.mades.embedded.session import Session


class ChannelFault(Exception):
    """Closes the channel: `code` and `text` as AMQP 0-9-1 and RabbitMQ say them."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code, self.text = code, text


class ConnectionFault(ChannelFault):
    """Closes the whole connection."""


class _Incoming(Struct):
    """A message that is being published, frame by frame."""

    method: Basic.Publish
    header: ContentHeader | None = None
    body: bytearray = bytearray()


class _Unsettled(Struct, frozen=True, eq=False):
    """A message handed out and not yet settled."""

    queue: WaitingQueue
    message: Stored
    consumer: "ChannelConsumer | None"


class ChannelConsumer:
    """One consumer: takes as much as its prefetch allows."""

    def __init__(self, channel: "ClientChannel", tag: str, queue: WaitingQueue, *, prefetch: int, no_ack: bool) -> None:
        self.channel, self.tag, self.queue = channel, tag, queue
        self.prefetch, self.no_ack = prefetch, no_ack
        self.unsettled = 0

    def has_room(self) -> bool:
        """Whether its prefetch allows one more."""
        return not self.prefetch or self.unsettled < self.prefetch

    def deliver(self, queue: WaitingQueue, message: Stored) -> None:
        """Send one to the client."""
        tag = self.channel.hand_out(queue, message, None if self.no_ack else self)
        self.channel.send(
            Basic.Deliver(self.tag, tag, message.redelivered, message.exchange, message.routing_key),
            message=message,
        )

    def cancelled(self) -> None:
        """Tell the client that the queue is gone."""
        self.channel.forget(self)


class ClientChannel:
    """State of one open channel; `handle` raises ChannelFault or ConnectionFault."""

    def __init__(self, session: "Session", number: int) -> None:
        self._session, self._number = session, number
        self._broker = session.broker
        self._tags, self._published = count(1), count(1)
        self._confirming = False
        self._prefetch = 0
        self._consumers: dict[str, ChannelConsumer] = {}
        self._unsettled: dict[int, _Unsettled] = {}
        self._incoming: _Incoming | None = None
        self._methods: dict[str, Callable[[Any], None]] = {
            "Basic.Ack": self._ack,
            "Basic.Cancel": self._cancel,
            "Basic.Consume": self._consume,
            "Basic.Get": self._get,
            "Basic.Nack": self._nack,
            "Basic.Publish": self._start_publish,
            "Basic.Qos": self._qos,
            "Basic.Reject": self._nack,
            "Channel.Flow": lambda frame: self.send(Channel.FlowOk(frame.active)),
            "Confirm.Select": self._confirm,
            "Exchange.Declare": self._declare_exchange,
            "Queue.Declare": self._declare_queue,
            "Queue.Purge": self._purge,
        }

    def handle(self, frame: Frame | ContentHeader | ContentBody) -> None:
        """Act on one frame of this channel."""
        if isinstance(frame, ContentHeader | ContentBody):
            self._content(frame)
        elif self._incoming is not None:
            raise ConnectionFault(505, f"UNEXPECTED_FRAME - expected content, got {frame.name}")
        elif (method := self._methods.get(frame.name)) is not None:
            method(frame)
        elif frame.name.startswith(("Exchange.", "Queue.")):
            raise ChannelFault(403, f"ACCESS_REFUSED - {frame.name} is for the owner of the broker")
        else:
            raise ConnectionFault(540, f"NOT_IMPLEMENTED - {frame.name}")

    def send(self, frame: Frame, *, message: Stored | None = None) -> None:
        """Write a method, and the content that follows it."""
        self._session.send(self._number, frame)
        if message is not None:
            properties = message.outgoing_properties()
            self._session.send(self._number, ContentHeader(0, len(message.body), properties))
            self._session.send_body(self._number, message.body)

    def hand_out(self, queue: WaitingQueue, message: Stored, consumer: ChannelConsumer | None) -> int:
        """Number a delivery; with a consumer it counts against its prefetch until settled."""
        tag = next(self._tags)
        if consumer is not None:
            consumer.unsettled += 1
            self._unsettled[tag] = _Unsettled(queue, message, consumer)
        return tag

    def forget(self, consumer: ChannelConsumer) -> None:
        """The broker ends a consumer."""
        if self._consumers.pop(consumer.tag, None) is not None:
            self.send(Basic.Cancel(consumer.tag, nowait=True))

    def close(self) -> None:
        """Stop consuming and give back what is not settled."""
        consumers, self._consumers = list(self._consumers.values()), {}
        for consumer in consumers:
            consumer.queue.leave(consumer)
        unsettled, self._unsettled = list(self._unsettled.values()), {}
        self._incoming = None
        self._give_back(unsettled)

    # Publishing.

    def _start_publish(self, frame: Basic.Publish) -> None:
        self._incoming = _Incoming(frame, body=bytearray())

    def _content(self, frame: ContentHeader | ContentBody) -> None:
        incoming = self._incoming
        if incoming is None or isinstance(frame, ContentHeader) != (incoming.header is None):
            raise ConnectionFault(505, "UNEXPECTED_FRAME - content without its method or header")
        if isinstance(frame, ContentHeader):
            if frame.body_size > self._broker.max_message_bytes:
                self._incoming = None
                limit = self._broker.max_message_bytes
                raise ChannelFault(
                    406, f"PRECONDITION_FAILED - message size {frame.body_size} is larger than max size {limit}"
                )
            incoming.header = frame
        else:
            incoming.body += frame.value
        assert incoming.header is not None
        if len(incoming.body) > incoming.header.body_size:
            raise ConnectionFault(501, "FRAME_ERROR - more content than announced")
        if len(incoming.body) == incoming.header.body_size:
            self._incoming = None
            self._publish(incoming.method, incoming.header.properties, bytes(incoming.body))

    def _publish(self, frame: Basic.Publish, properties: Basic.Properties, body: bytes) -> None:
        self._may_publish(frame, properties)
        message = Stored(
            exchange=frame.exchange,
            routing_key=frame.routing_key,
            properties=properties,
            body=body,
            expires_s=self._expires_s(properties),
        )
        taken = self._broker.publish(message)
        if taken is None and frame.mandatory:
            self.send(Basic.Return(312, "NO_ROUTE", frame.exchange, frame.routing_key), message=message)
        if self._confirming:
            tag = next(self._published)
            self.send(Basic.Nack(tag, False, False) if taken is False else Basic.Ack(tag, False))

    def _may_publish(self, frame: Basic.Publish, properties: Basic.Properties) -> None:
        user = self._session.user
        if not self._broker.may(user, "write", frame.exchange or "amq.default"):
            raise _refused(f"write to exchange '{frame.exchange or 'amq.default'}'", user)
        if not self._broker.exchange_exists(frame.exchange):
            raise ChannelFault(404, f"NOT_FOUND - no exchange '{frame.exchange}'")
        if not self._broker.may(user, "topic", frame.routing_key):
            raise _refused(f"write to topic '{frame.routing_key}'", user)
        if properties.user_id and properties.user_id != user:
            raise ChannelFault(406, f"PRECONDITION_FAILED - user_id property is not the authenticated user '{user}'")

    def _expires_s(self, properties: Basic.Properties) -> float | None:
        if not properties.expiration:
            return None
        if not properties.expiration.isdecimal() or len(properties.expiration) > 12:
            raise ChannelFault(406, "PRECONDITION_FAILED - expiration is not a number of milliseconds")
        return self._broker.now_s() + int(properties.expiration) / 1000

    def _confirm(self, frame: Confirm.Select) -> None:
        self._confirming = True
        if not frame.nowait:
            self.send(Confirm.SelectOk())

    # Consuming.

    def _qos(self, frame: Basic.Qos) -> None:
        self._prefetch = frame.prefetch_count
        self.send(Basic.QosOk())

    def _consume(self, frame: Basic.Consume) -> None:
        queue = self._readable(frame.queue)
        tag = frame.consumer_tag or f"ctag-{self._number}-{next(self._tags)}"
        if tag in self._consumers:
            raise ConnectionFault(530, f"NOT_ALLOWED - consumer tag '{tag}' is in use")
        consumer = ChannelConsumer(self, tag, queue, prefetch=self._prefetch, no_ack=frame.no_ack)
        self._consumers[tag] = consumer
        if not frame.nowait:
            self.send(Basic.ConsumeOk(tag))
        queue.join(consumer, now_s=self._broker.now_s())

    def _cancel(self, frame: Basic.Cancel) -> None:
        tag = frame.consumer_tag or ""
        if (consumer := self._consumers.pop(tag, None)) is not None:
            consumer.queue.leave(consumer)
        if not frame.nowait:
            self.send(Basic.CancelOk(tag))

    def _get(self, frame: Basic.Get) -> None:
        queue = self._readable(frame.queue)
        message = queue.take(now_s=self._broker.now_s())
        if message is None:
            self.send(Basic.GetEmpty())
            return
        tag = next(self._tags)
        if not frame.no_ack:
            self._unsettled[tag] = _Unsettled(queue, message, None)
        answer = Basic.GetOk(tag, message.redelivered, message.exchange, message.routing_key, len(queue))
        self.send(answer, message=message)

    def _ack(self, frame: Basic.Ack) -> None:
        settled = list(self._settled(frame.delivery_tag or 0, multiple=frame.multiple))
        for queue in dict.fromkeys(each.queue for each in settled):
            queue.pump(self._broker.now_s())

    def _nack(self, frame: Basic.Nack | Basic.Reject) -> None:
        settled = list(self._settled(frame.delivery_tag or 0, multiple=getattr(frame, "multiple", False)))
        if frame.requeue:
            self._give_back(settled)
            return
        for each in settled:
            each.queue.bury(each.message, reason="rejected")
        for queue in dict.fromkeys(each.queue for each in settled):
            queue.pump(self._broker.now_s())

    def _settled(self, tag: int, *, multiple: bool) -> Iterator[_Unsettled]:
        if multiple:
            tags = [each for each in self._unsettled if not tag or each <= tag]
        elif tag in self._unsettled:
            tags = [tag]
        else:
            raise ChannelFault(406, f"PRECONDITION_FAILED - unknown delivery tag {tag}")
        for each in tags:
            unsettled = self._unsettled.pop(each)
            if unsettled.consumer is not None:
                unsettled.consumer.unsettled -= 1
            yield unsettled

    def _give_back(self, unsettled: list[_Unsettled]) -> None:
        for queue in dict.fromkeys(each.queue for each in unsettled):
            messages = [each.message for each in unsettled if each.queue is queue]
            queue.give_back(messages, now_s=self._broker.now_s())

    # Asking what is there. Nothing can be made over the network.

    def _declare_exchange(self, frame: Exchange.Declare) -> None:
        user = self._session.user
        if not frame.passive or not self._broker.may(user, "write", frame.exchange):
            raise _refused(f"configure exchange '{frame.exchange}'", user)
        if not self._broker.exchange_exists(frame.exchange):
            raise ChannelFault(404, f"NOT_FOUND - no exchange '{frame.exchange}'")
        self.send(Exchange.DeclareOk())

    def _declare_queue(self, frame: Queue.Declare) -> None:
        if not frame.passive:
            raise _refused(f"configure queue '{frame.queue}'", self._session.user)
        queue = self._readable(frame.queue)
        self.send(Queue.DeclareOk(frame.queue, len(queue), queue.consumer_count))

    def _purge(self, frame: Queue.Purge) -> None:
        self.send(Queue.PurgeOk(self._readable(frame.queue).clear()))

    def _readable(self, name: str) -> WaitingQueue:
        """The queue, if this user may read it. Asking for another's is refused alike whether it exists or not."""
        if not self._broker.may(self._session.user, "read", name):
            raise _refused(f"read queue '{name}'", self._session.user)
        queue = self._broker.queue(name)
        if queue is None:
            raise ChannelFault(404, f"NOT_FOUND - no queue '{name}'")
        return queue


def _refused(what: str, user: str) -> ChannelFault:
    return ChannelFault(403, f"ACCESS_REFUSED - {what} refused for user '{user}'")
