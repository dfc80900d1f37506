"""The embedded broker itself: who may log in, which queues they have, and the listening socket.

Its owner provisions it in code (there is no way to do that over the network), from the one access table in
`hub.mades.paths`. Stopping it forgets all messages but not who is who, so that it can be started again.
"""

import asyncio
import hmac
import re
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Self
from urllib.parse import quote

from cryptography import x509
from msgspec import Struct

from hub.clock import SystemClock
from hub.mades import pki
from hub.mades.certificates import CertificateType
from hub.mades.embedded.queues import MAX_BYTES, MAX_MESSAGES, DeadLetter, Stored, WaitingQueue
from hub.mades.embedded.session import Session
from hub.mades.paths import (
    DELIVERY_LIMIT,
    EXCHANGE,
    VIRTUAL_HOST,
    Access,
    Party,
    access,
    bindings,
    queue_name,
    queue_suffix,
)
from hub.ports import Clock, Queue

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024 + 128 * 1024
_MAX_SESSIONS: Final = 1000
_KEPT_DEAD: Final = 1000
_SWEEP_S: Final = 1.0


class Component(Struct, frozen=True):
    """A user of the broker: what it is in the exchange, and how it proves itself.

    By its password, or by its certificate where the broker has TLS; then `suffix` ends the names of its queues.
    """

    party: Party
    password: str = ""
    suffix: str = ""


class EmbeddedBroker:
    """`async with EmbeddedBroker() as broker:` listens on `broker.port` until the block ends."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        on_dead: Callable[[DeadLetter], None] | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.host, self.port = host, port
        self.mechanism = "EXTERNAL" if tls else "PLAIN"
        self._tls = tls
        self.max_message_bytes = max_message_bytes
        self.dead_count = 0
        self.dead: deque[DeadLetter] = deque(maxlen=_KEPT_DEAD)
        self._clock = clock or SystemClock()
        self._on_dead = on_dead
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._components: dict[str, Component] = {}
        self._access: dict[str, Access] = {}
        self._queues: dict[str, WaitingQueue] = {}
        self._bindings: list[tuple[re.Pattern[str], str]] = []
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. A port of 0 takes a free one and keeps it over a stop and start."""
        self._server = await asyncio.start_server(self._accept, self.host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self._sweeper = asyncio.create_task(self._sweep(), name="embedded-broker.sweep")

    async def stop(self) -> None:
        """Cut every connection and forget every message."""
        if self._server is not None:
            self._server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for session in self._sessions:
            session.abort()
        await asyncio.gather(*self._sessions.values(), return_exceptions=True)
        self._server = self._sweeper = None
        for queue in self._queues.values():
            queue.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def provision(self, components: Mapping[str, Component], *, hub: str) -> None:
        """Make these the users, with their queues and permissions; may be called while running, with more or fewer.

        A component that is no longer named is thrown out and its queues are deleted.
        """
        for code in self._components.keys() - components.keys():
            self._remove(code)
        for code, component in components.items():
            self._add(code, component)
        partners = [code for code, component in components.items() if component.party is not Party.HUB]
        self._access = {
            code: access(code, component.party, hub=hub, queues=_queue_names(code, component), partners=partners)
            for code, component in components.items()
        }

    def url(self, code: str) -> str:
        """Where this component connects; holds its password, if it has one."""
        if self._tls:
            return f"amqps://{self.host}:{self.port}/{VIRTUAL_HOST}"
        return amqp_url(self.host, self.port, code, self._components[code].password)

    def depth(self, code: str, queue: Queue) -> int:
        """How many messages wait for this component."""
        return len(self._queues[_name(code, self._components[code], queue)])

    # What follows is what a session asks of its broker.

    def authentic(self, user: str, password: str) -> bool:
        """Whether this is that user's password."""
        component = self._components.get(user)
        if component is None or not component.password:
            return False
        return hmac.compare_digest(component.password.encode(), password.encode())

    def user_of(self, certificate: bytes | None) -> str | None:
        """The component that an AUTHENTICATION certificate (DER) names; TLS has checked its chain and its time."""
        if certificate is None:
            return None
        shown = x509.load_der_x509_certificate(certificate)
        code = pki.common_name(shown)
        return code if code in self._components and pki.is_for(shown, CertificateType.AUTHENTICATION) else None

    def hosts(self, virtual_host: str) -> bool:
        """Whether this virtual host is here."""
        return virtual_host == VIRTUAL_HOST

    def may(self, user: str, permission: str, name: str) -> bool:
        """Whether a user may `configure`, `write` or `read` what is called `name`, or write the key (`topic`)."""
        rules = self._access.get(user)
        return rules is not None and re.fullmatch(getattr(rules, permission), name) is not None

    def exchange_exists(self, name: str) -> bool:
        """Whether there is such an exchange."""
        return name == EXCHANGE

    def queue(self, name: str) -> WaitingQueue | None:
        """The queue of this name."""
        return self._queues.get(name)

    def publish(self, message: Stored) -> bool | None:
        """Route a message: True taken, False refused by a full queue, None when no key leads anywhere."""
        targets = [self._queues[name] for pattern, name in self._bindings if pattern.fullmatch(message.routing_key)]
        if not targets:
            return None
        now_s = self.now_s()
        # Every queue is offered its copy, also when one of them refuses.
        return all([queue.offer(message, now_s=now_s) for queue in targets])  # noqa: C419

    def now_s(self) -> float:
        """The broker's monotonic time."""
        return self._clock.monotonic()

    def _add(self, code: str, component: Component) -> None:
        if self._components.get(code) == component:
            return
        if code in self._components:
            self._remove(code)
        self._components[code] = component
        for queue in Queue:
            name = _name(code, component, queue)
            self._queues[name] = WaitingQueue(
                name,
                delivery_limit=DELIVERY_LIMIT,
                dead=self._bury,
                max_messages=self._max_messages,
                max_bytes=self._max_bytes,
            )
            self._bindings += [(_topic(key), name) for key in bindings(code, queue)]

    def _remove(self, code: str) -> None:
        names = set(_queue_names(code, self._components.pop(code)))
        self._bindings = [(pattern, name) for pattern, name in self._bindings if name not in names]
        for name in names:
            self._queues.pop(name).close()
        for session in [session for session in self._sessions if session.user == code]:
            session.force_close()

    def _bury(self, letter: DeadLetter) -> None:
        self.dead_count += 1
        self.dead.append(letter)
        if self._on_dead is not None:
            self._on_dead(letter)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if len(self._sessions) >= _MAX_SESSIONS or task is None:
            writer.close()
            return
        session = Session(self, reader, writer)
        self._sessions[session] = task
        try:
            await session.run()
        finally:
            del self._sessions[session]

    async def _sweep(self) -> None:
        """Let messages expire at the head of queues that nobody reads."""
        while True:
            await self._clock.sleep(_SWEEP_S)
            for queue in self._queues.values():
                queue.drop_expired(self.now_s())


def amqp_url(host: str, port: int, code: str, password: str) -> str:
    """The address of a broker for one user."""
    return f"amqp://{quote(code, safe='')}:{quote(password, safe='')}@{host}:{port}/{VIRTUAL_HOST}"


def _name(code: str, component: Component, queue: Queue) -> str:
    return queue_name(code, queue, suffix=component.suffix or queue_suffix(code, component.password))


def _queue_names(code: str, component: Component) -> list[str]:
    return [_name(code, component, queue) for queue in Queue]


def _topic(binding: str) -> re.Pattern[str]:
    """A binding key as a pattern: `*` is one word; our keys have no `#`."""
    return re.compile(r"\.".join("[^.]+" if word == "*" else re.escape(word) for word in binding.split(".")))
