"""Brokers for tests: certificates of our own authority, and the same means on the embedded broker and RabbitMQ."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import aio_pika
from aio_pika.abc import AbstractConnection
from cryptography import x509

from hub.directory_service.founding import ServerFiles
from hub.mades import pki, provision
from hub.mades.amqp import AmqpTransport
from hub.mades.certificates import CertificateType
from hub.mades.embedded import Component, EmbeddedBroker
from hub.mades.management import managing
from hub.mades.paths import VIRTUAL_HOST, queue_name
from hub.mades.tls import client_context, server_context
from hub.mades.topology import Registered
from hub.ports import Queue
from tests.mades_components import HUB, PARTIES

AUTHENTICATION, SIGNING, ENCRYPTION = CertificateType

COMPONENTS = tuple(
    Registered(code=code, party=party, suffix=f"{number:016x}") for number, (code, party) in enumerate(PARTIES.items())
)
SUFFIXES = {component.code: component.suffix for component in COMPONENTS}


def own_queue(code: str, queue: Queue = Queue.BULK) -> str:
    """The name of a component's queue."""
    return queue_name(code, queue, suffix=SUFFIXES[code])


class Certificates:
    """An authority and whom it has certified; files in a folder. Another's, when the folder holds its key already."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._now = datetime.now(UTC)
        if (directory / "issuing.key").exists():
            self._root = pki.read_chain(directory / "root.pem")[0]
            issuing = pki.read_chain(directory / "issuing.pem")[0]
            self._issuing = pki.Authority(issuing, pki.read_key(directory / "issuing.key"))
        else:
            root = pki.root_authority("Test root", now=self._now)
            self._root = root.certificate
            self._issuing = pki.issuing_authority("Test issuing", root=root, now=self._now)
            (directory / "root.pem").write_bytes(pki.pem_of(self._root))
        self._contexts: dict[tuple[str, CertificateType], ssl.SSLContext] = {}

    @property
    def authority(self) -> Path:
        return self._directory / "root.pem"

    def server(self) -> ServerFiles:
        """A broker's own files."""
        key = pki.make_key()
        leaf = pki.issue_server(key.public_key(), ["localhost", "127.0.0.1"], authority=self._issuing, now=self._now)
        certificate, key_file = self._write("broker", leaf, key)
        return ServerFiles(certificate=certificate, key=key_file, authority=self.authority)

    def client(self, code: str, kind: CertificateType = AUTHENTICATION) -> ssl.SSLContext:
        """What a component connects with, or tries to."""
        if (code, kind) not in self._contexts:
            certificate, key_file = self.client_files(code, kind)
            context = client_context(certificate=certificate, key=key_file, authority=self.authority)
            self._contexts[code, kind] = context
        return self._contexts[code, kind]

    def client_files(self, code: str, kind: CertificateType = AUTHENTICATION) -> tuple[Path, Path]:
        """The same as files: the certificate with its issuer, and its key."""
        name = f"{code.replace(':', '-')}-{kind}"
        files = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        if files[0].exists():
            return files
        key = pki.make_key()
        return self._write(name, pki.issue(key.public_key(), code, kind, authority=self._issuing, now=self._now), key)

    def _write(self, name: str, leaf: x509.Certificate, key: pki.PrivateKey) -> tuple[Path, Path]:
        certificate, key_file = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        certificate.write_bytes(pki.pem_of(leaf, self._issuing.certificate))
        key_file.unlink(missing_ok=True)
        pki.write_key(key_file, key)
        return certificate, key_file


class Broker(Protocol):
    """A running broker with TLS, on which the components of `tests.mades_components` are provisioned."""

    certificates: Certificates
    volatile: bool

    @property
    def url(self) -> str: ...

    async def dead(self) -> list[str]:
        """Why messages died, oldest first."""

    async def revoke(self, code: str) -> None: ...


class EmbeddedTls:
    """The embedded broker, clients known by certificate."""

    volatile = True

    def __init__(self, broker: EmbeddedBroker, certificates: Certificates) -> None:
        self.broker, self.certificates = broker, certificates
        self._users = {each.code: Component(each.party, suffix=each.suffix) for each in COMPONENTS}
        broker.provision(self._users, hub=HUB)

    @property
    def url(self) -> str:
        return self.broker.url(HUB)

    async def dead(self) -> list[str]:
        return [letter.reason for letter in self.broker.dead]

    async def revoke(self, code: str) -> None:
        self.broker.provision({each: user for each, user in self._users.items() if each != code}, hub=HUB)


class RabbitTls:
    """RabbitMQ, emptied and provisioned anew."""

    volatile = False

    def __init__(self, url: str, management_url: str, certificates: Certificates) -> None:
        self.url, self.management_url, self.certificates = url, management_url, certificates

    async def dead(self) -> list[str]:
        async with managing(self.management_url) as operator:
            return [letter.reason for letter in await provision.dead_letters(operator, limit=1000)]

    async def revoke(self, code: str) -> None:
        async with managing(self.management_url) as operator:
            await provision.revoke(operator, code)

    async def provision(self) -> None:
        async with managing(self.management_url) as operator:
            await provision.provision(operator, COMPONENTS)

    async def reset(self) -> None:
        async with managing(self.management_url) as operator:
            await operator.delete("vhosts", VIRTUAL_HOST)
            await provision.provision(operator, COMPONENTS)


@asynccontextmanager
async def embedded_tls(certificates: Certificates) -> AsyncIterator[EmbeddedTls]:
    files = certificates.server()
    tls = server_context(certificate=files.certificate, key=files.key, authority=files.authority)
    async with EmbeddedBroker(tls=tls) as broker:
        yield EmbeddedTls(broker, certificates)


async def transport(broker: Broker, code: str, **options: Any) -> AmqpTransport:  # Any: those of AmqpTransport.connect
    """Our own client, as a component."""
    return await AmqpTransport.connect(
        broker.url, code=code, tls=broker.certificates.client(code), suffix=SUFFIXES[code], **options
    )


class Plain(aio_pika.Connection):
    """The library's own connection; closed when it is refused, which the library leaves to the collector."""

    async def connect(self, timeout: float | None = None) -> None:
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()
            raise


async def connect(url: str, context: ssl.SSLContext | None = None) -> AbstractConnection:
    """An unmodified client at an address."""
    return await aio_pika.connect(url, ssl_context=context, timeout=10, connection_class=Plain)


@asynccontextmanager
async def raw(broker: Broker, code: str, kind: CertificateType = AUTHENTICATION) -> AsyncIterator[AbstractConnection]:
    """An unmodified client, as a component."""
    context = broker.certificates.client(code, kind)
    connection = await connect(f"{broker.url}?auth=EXTERNAL", context)
    try:
        yield connection
    finally:
        await connection.close()


async def depth(broker: Broker, code: str, queue: Queue = Queue.BULK) -> int:
    """How many messages wait for a component, at this moment."""
    async with raw(broker, code) as connection:
        channel = await connection.channel()
        declared = (await channel.declare_queue(own_queue(code, queue), passive=True)).declaration_result
        return declared.message_count or 0
