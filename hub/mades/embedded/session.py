"""One client connection of the embedded broker: handshake, frames, heartbeats, a clean end.

Whatever a client sends, only its own connection suffers: input is bounded before it is read and every fault ends in an
AMQP close with its code.
"""

import asyncio
import logging
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pamqp import frame as frames
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.commands import Channel, Connection
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from hub.mades.embedded.channel import ChannelFault, ClientChannel, ConnectionFault

if TYPE_CHECKING:
    from hub.mades.embedded.server import EmbeddedBroker

HANDSHAKE_S: Final = 10.0
FRAME_MAX: Final = 131072
CHANNEL_MAX: Final = 128
HEARTBEAT_S: Final = 10
_PROTOCOL: Final = b"AMQP\x00\x00\x09\x01"
_FRAME_HEAD: Final = struct.Struct(">BHI")
_PROPERTIES: Final[dict[str, Any]] = {  # AMQP field tables are untyped
    "product": "tps-embedded-broker",
    "version": "1",
    "volatile": True,
    "capabilities": {
        "publisher_confirms": True,
        "basic.nack": True,
        "consumer_cancel_notify": True,
        "authentication_failure_close": True,
        "per_consumer_qos": True,
    },
}

log = logging.getLogger(__name__)


class Session:
    """A connection from accept to close; `user` is empty until the client has proved who it is."""

    def __init__(self, broker: "EmbeddedBroker", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.broker = broker
        self.user = ""
        self._reader, self._writer = reader, writer
        # None: closed by us. What the client had already written to such a channel is ignored until it opens it again.
        self._channels: dict[int, ClientChannel | None] = {}
        self._frame_max, self._heartbeat_s = FRAME_MAX, HEARTBEAT_S
        self._heard_s = 0.0

    async def run(self) -> None:
        """Serve the client until either side ends it."""
        beat: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                await self._shake_hands()
            if self._heartbeat_s:
                beat = asyncio.create_task(self._beat(), name=f"embedded-broker.beat.{self.user}")
            await self._serve()
        except ConnectionFault as fault:
            await self._close(fault)
        except (OSError, EOFError, TimeoutError):
            pass  # the client is gone; what it held goes back to the queues below
        except Exception:
            log.exception("broker.session_failed")
            await self._close(ConnectionFault(541, "INTERNAL_ERROR"))
        finally:
            if beat is not None:
                beat.cancel()
            for channel in list(self._channels.values()):
                if channel is not None:
                    channel.close()
            self._writer.close()

    def send(self, channel: int, frame: Frame | ContentHeader | ContentBody | Heartbeat) -> None:
        """Write one frame; `run` waits for slow readers between the frames it reads."""
        if not self._writer.is_closing():
            self._writer.write(frames.marshal(frame, channel))

    def send_body(self, channel: int, body: bytes) -> None:
        """Write content, cut to the frame size that was agreed."""
        size = self._frame_max - 8
        for start in range(0, len(body), size):
            self.send(channel, ContentBody(body[start : start + size]))

    def force_close(self) -> None:
        """Throw the client out: its component is no longer one of ours."""
        self.send(0, Connection.Close(320, "CONNECTION_FORCED - user is deleted", 0, 0))
        self._writer.close()

    def abort(self) -> None:
        """Cut the connection, as when the broker dies; `run` ends."""
        self._writer.transport.abort()

    async def _shake_hands(self) -> None:
        if await self._reader.readexactly(len(_PROTOCOL)) != _PROTOCOL:
            self._writer.write(_PROTOCOL)
            raise EOFError("not AMQP 0-9-1")
        self.send(0, Connection.Start(0, 9, _PROPERTIES, self.broker.mechanism, "en_US"))
        start = await self._expect(Connection.StartOk)
        self.user = self._authenticate(start)
        self.send(0, Connection.Tune(CHANNEL_MAX, FRAME_MAX, HEARTBEAT_S))
        tune = await self._expect(Connection.TuneOk)
        self._frame_max = min(FRAME_MAX, max(4096, tune.frame_max)) if tune.frame_max else FRAME_MAX
        self._heartbeat_s = tune.heartbeat
        opening = await self._expect(Connection.Open)
        if not self.broker.hosts(opening.virtual_host):
            raise ConnectionFault(530, f"NOT_ALLOWED - vhost '{opening.virtual_host}' not found")
        self.send(0, Connection.OpenOk())

    def _authenticate(self, start: Connection.StartOk) -> str:
        if start.mechanism == self.broker.mechanism and (user := self._proven_user(start.response)):
            return user
        raise ConnectionFault(
            403, f"ACCESS_REFUSED - Login was refused using authentication mechanism {self.broker.mechanism}"
        )

    def _proven_user(self, response: str) -> str | None:
        """Who the client is: by its certificate where the broker has TLS, else by its password."""
        tls = self._writer.get_extra_info("ssl_object")
        if tls is not None:
            return self.broker.user_of(tls.getpeercert(binary_form=True))
        parts = response.split("\0")
        return parts[1] if len(parts) == 3 and self.broker.authentic(parts[1], parts[2]) else None

    async def _expect(self, kind: Any) -> Any:  # the frame classes of pamqp share no type that names their fields
        _, frame = await self._read()
        if not isinstance(frame, kind):
            raise ConnectionFault(503, f"COMMAND_INVALID - expected {kind.name}")
        return frame

    async def _read(self) -> tuple[int, Any]:
        head = await self._reader.readexactly(_FRAME_HEAD.size)
        _, _, size = _FRAME_HEAD.unpack(head)
        if size > self._frame_max:
            raise ConnectionFault(501, f"FRAME_ERROR - frame of {size} bytes, {self._frame_max} agreed")
        data = head + await self._reader.readexactly(size + 1)
        self._heard_s = asyncio.get_running_loop().time()
        if data[-1] != 0xCE or (head[0] == 8 and size):
            raise ConnectionFault(501, "FRAME_ERROR - frame does not end where it should")
        try:
            _, channel, frame = frames.unmarshal(data)
        except Exception as error:  # the decoder meets arbitrary bytes and raises many things
            raise ConnectionFault(502, "SYNTAX_ERROR - frame cannot be read") from error
        return channel, frame

    async def _serve(self) -> None:
        while True:
            channel, frame = await self._read()
            if isinstance(frame, Heartbeat):
                self.send(0, Heartbeat())
            elif isinstance(frame, Connection.Close):
                self.send(0, Connection.CloseOk())
                await self._writer.drain()
                return
            elif isinstance(frame, Connection.CloseOk):
                return
            elif channel == 0:
                raise ConnectionFault(503, "COMMAND_INVALID - not on channel 0")
            else:
                self._on_channel(channel, frame)
            await self._writer.drain()

    def _on_channel(self, number: int, frame: Any) -> None:  # any frame of pamqp
        if isinstance(frame, Channel.Open):
            self._open_channel(number)
        elif number not in self._channels:
            raise ConnectionFault(504, f"CHANNEL_ERROR - channel {number} is not open")
        elif isinstance(frame, Channel.Close):
            channel = self._channels.pop(number)
            if channel is not None:
                channel.close()
            self.send(number, Channel.CloseOk())
        elif (channel := self._channels[number]) is not None:
            self._handle(channel, number, frame)

    def _open_channel(self, number: int) -> None:
        if self._channels.get(number) is not None or number > CHANNEL_MAX:
            raise ConnectionFault(504, f"CHANNEL_ERROR - channel {number} cannot be opened")
        self._channels[number] = ClientChannel(self, number)
        self.send(number, Channel.OpenOk())

    def _handle(self, channel: ClientChannel, number: int, frame: Any) -> None:  # any frame of pamqp
        try:
            channel.handle(frame)
        except ConnectionFault:
            raise
        except ChannelFault as fault:
            channel.close()
            self._channels[number] = None
            method = frame.frame_id if isinstance(frame, Frame) else 0
            self.send(number, Channel.Close(fault.code, fault.text[:255], 0, method))

    async def _close(self, fault: ConnectionFault) -> None:
        with suppress(OSError, EOFError, TimeoutError, ConnectionFault):
            self.send(0, Connection.Close(fault.code, fault.text[:255], 0, 0))
            async with asyncio.timeout(1.0):
                await self._writer.drain()
                while not isinstance((await self._read())[1], Connection.CloseOk):
                    pass

    async def _beat(self) -> None:
        """Show that we are here, and cut a client that has not shown itself for two intervals."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._heartbeat_s / 2)
            if loop.time() - self._heard_s > 2 * self._heartbeat_s:
                self._writer.transport.abort()
                return
            self.send(0, Heartbeat())
