"""AMQP 1.0 for tests: components that speak it through a library of others, and how RabbitMQ names its places in it.

The library is Apache Qpid Proton, for the system's Python. Root has the distribution's package installed, like the
broker; otherwise a test is skipped, and on a build server it fails.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from gateways.demo.rabbitmq import installed_afresh
from hub.errors import Unavailable
from hub.mades.paths import VIRTUAL_HOST
from tests.fixtures_broker import unavailable
from tests.mades_brokers import Broker

CLIENT: Final = Path(__file__).with_name("amqp10_client.py")
PACKAGE: Final = "python3-qpid-proton"
NATIVE: Final = 4
"""From this version on RabbitMQ speaks AMQP 1.0 by itself, and names its places in another way."""


class ReceivedOverAmqp10:
    """A message as an AMQP 1.0 client got it."""

    def __init__(self, told: Mapping[str, Any]) -> None:  # Any: JSON
        self.body = b64decode(told["body"])
        self.message_id, self.correlation_id = told["id"], told["correlation_id"]
        self.content_type, self.application_properties = told["content_type"], told["application_properties"]


class Amqp10Client:
    """A component at the broker, over AMQP 1.0 with its certificate. Every call raises Amqp10Refused."""

    def __init__(self, broker: Broker, code: str, *, virtual_host: str = VIRTUAL_HOST) -> None:
        self._broker, self._code, self._virtual_host = broker, code, virtual_host
        self._python = _python_with_proton()
        self._version = 0

    async def send(
        self,
        address: str,
        body: bytes | str,
        properties: Mapping[str, object],
        application: Mapping[str, str] | None = None,
    ) -> str:
        """What the broker settles the message as. Bytes are one data section, a text is a value."""
        content = body.encode() if isinstance(body, str) else body
        order: dict[str, object] = {"address": address, "body": b64encode(content).decode()}
        order |= {"properties": dict(properties), "is_text": isinstance(body, str)}
        answer = await self._do("send", order | {"application_properties": dict(application or {})})
        return str(answer["outcome"])

    async def receive(self, address: str, count: int) -> list[ReceivedOverAmqp10]:
        """So many messages, accepted."""
        answer = await self._do("receive", {"address": address, "count": count})
        return [ReceivedOverAmqp10(each) for each in answer["messages"]]

    async def exchange(self, name: str, key: str) -> str:
        """The address of an exchange and a key."""
        if await self.version() < NATIVE:
            return f"/exchange/{name}/{key}"
        return f"/exchanges/{quote(name, safe='')}/{quote(key, safe='')}"

    async def queue(self, name: str) -> str:
        """The address of a queue that stands."""
        return f"/amq/queue/{name}" if await self.version() < NATIVE else f"/queues/{quote(name, safe='')}"

    async def version(self) -> int:
        """Which generation of RabbitMQ it is."""
        if not self._version:
            self._version = int((await self._do("look", {}))["version"].partition(".")[0])
        return self._version

    async def _do(self, what: str, order: Mapping[str, object]) -> Any:  # JSON
        parts, (certificate, key) = urlsplit(self._broker.url), self._broker.certificates.client_files(self._code)
        place = {
            "url": f"amqps://{parts.hostname}:{parts.port}",
            "virtual_host": self._virtual_host,
            "authority": str(self._broker.certificates.authority),
            "certificate": str(certificate),
            "key": str(key),
        }
        answer = json.loads(await _run(self._python, json.dumps({"do": what} | place | dict(order)).encode()))
        if "refused" in answer:
            raise Amqp10Refused(answer["refused"])
        return answer


class Amqp10Refused(Exception):
    """The broker refuses; the message is its own."""


async def _run(python: str, order: bytes) -> bytes:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(python, str(CLIENT), stdin=pipe, stdout=pipe, stderr=pipe)
    out, errors = await process.communicate(order)
    assert process.returncode == 0, errors.decode()
    return out


def _python_with_proton() -> str:
    found, reason = _search()
    if not found:
        unavailable(reason)
    return found


@cache
def _search() -> tuple[str, str]:
    """The Python that has it, or why there is none."""
    if python := _having_proton():
        return python, ""
    try:
        installed_afresh(PACKAGE)
    except Unavailable as error:
        return "", f"No Python here has Qpid Proton. Install the package {PACKAGE}. {error}"
    return _having_proton(), f"The package {PACKAGE} is installed, and no Python here has it."


def _having_proton() -> str:
    return next((python for python in _pythons() if _has_proton(python)), "")


def _pythons() -> Iterable[str]:
    return dict.fromkeys(python for python in (sys.executable, "/usr/bin/python3", shutil.which("python3")) if python)


def _has_proton(python: str) -> bool:
    try:
        done = subprocess.run([python, "-c", "import proton"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
