"""The real broker for tests: one RabbitMQ for each worker of the session, emptied for each test.

Where it comes from is told in `gateways.demo.rabbitmq`. One that is given must be for tests alone: its virtual host
`mades` is deleted each time. Without any a test is skipped, on a build server it fails.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn

import pytest
import pytest_asyncio

from gateways.demo.rabbitmq import GivenRabbit, Rabbit, given, rabbitmq
from hub.errors import Unavailable
from hub.mades.paths import VIRTUAL_HOST
from hub.ports import Refused
from tests.mades_brokers import Certificates, RabbitTls

LASTING_S = 7.0


class RealBroker:
    """A RabbitMQ that starts when the first test wants it; `node` is None when it is not ours to stop."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._stack = directory, AsyncExitStack()
        self._broker: RabbitTls | None = None
        self._reason = ""
        self._made_s = 0.0
        self.node: Rabbit | None = None

    async def fresh(self) -> RabbitTls:
        """RabbitMQ with the components provisioned and nothing in it.

        A queue deleted right after its node's start ends what minds the dead letters (3.10.8), until the next start.
        """
        broker = await self._running()
        try:
            await broker.reset()
        except Refused:
            if self.node is None:
                raise
            self.node.kill()
            await self.node.start()
            await broker.reset()
        self._made_s = time.monotonic()
        return broker

    async def lasting(self) -> RabbitTls:
        """As `provisioned`, with queues that outlive a kill.

        RabbitMQ keeps who leads a queue every 5 s. Killed before that (3.10.8), it leaves the queue without a leader
        for a minute and more, and confirms nothing to it. A real broker's disk does not follow our clock.
        """
        broker = await self.provisioned()
        await asyncio.sleep(max(0.0, self._made_s + LASTING_S - time.monotonic()))
        return broker

    async def provisioned(self) -> RabbitTls:
        """RabbitMQ with the components provisioned; there may be messages of earlier tests."""
        broker = await self._running()
        await broker.provision()
        self._made_s = self._made_s or time.monotonic()
        return broker

    async def _running(self) -> RabbitTls:
        if self._reason:
            unavailable(self._reason)
        if self._broker is None:
            try:
                self._broker = await self._started() if (lent := given()) is None else _tls(lent)
            except Unavailable as error:
                self._reason = str(error)
                unavailable(self._reason)
        assert self._broker is not None
        return self._broker

    async def stop(self) -> None:
        if self.node:
            self.node.kill()  # nothing in it is wanted any more, and a good end takes seconds
        await self._stack.aclose()

    async def _started(self) -> RabbitTls:
        certificates = Certificates(self._directory)
        self.node = await self._stack.enter_async_context(rabbitmq(self._directory / "node", certificates.server()))
        url = f"amqps://localhost:{self.node.port}/{VIRTUAL_HOST}"
        return RabbitTls(url, self.node.management_url, certificates)


def _tls(lent: GivenRabbit) -> RabbitTls:
    return RabbitTls(lent.url, lent.management_url, Certificates(lent.authority))


def unavailable(reason: str) -> NoReturn:
    """Skip, for a stated reason; on a build server fail."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest_asyncio.fixture(scope="session")
async def real_broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealBroker]:
    """The broker of this worker, started at first use."""
    broker = RealBroker(tmp_path_factory.mktemp("rabbitmq"))
    yield broker
    await broker.stop()


@pytest_asyncio.fixture
async def rabbit(real_broker: RealBroker) -> RabbitTls:
    """RabbitMQ with the components provisioned and nothing in it."""
    return await real_broker.fresh()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for brokers that do not outlive the session."""
    return Certificates(tmp_path_factory.mktemp("certificates"))
