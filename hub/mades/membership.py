"""A registered component at work: what it proves itself with, whom it knows, what it seals with (floor 5; MADES 4.5).

All of it comes from the folder that registration filled (`tps mades register`, `tps init`). While it runs the directory
is asked regularly, certificates are renewed before they end, and the newer ones are taken into use when their turn has
come; nothing has to be started anew for that.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog

from hub.directory.values import ComponentRecord, Configuration, Implementation, MessagePath, Party
from hub.errors import Rejected, SettingsError, Unavailable
from hub.mades import credentials, enrolment, paths, pki
from hub.mades.amqp import AmqpTransport
from hub.mades.approach import Approach
from hub.mades.certificates import CertificateType
from hub.mades.directory_client import client_in
from hub.mades.endpoint import Seals, Standing
from hub.mades.seal import Sealer
from hub.ports import Clock, Transport
from hub.version import VERSION

MADES_VERSION: Final = 2
NETWORK: Final = "internet"
PAUSE_S: Final = 2.0
LOOK_S: Final = 3600.0
"""Time between looks whether other certificates are preferred by now."""
ALWAYS: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""The same at every start, so that saying it again changes nothing."""

log = structlog.get_logger("hub.mades.membership")


class Membership:
    """See the charter. `seals` are what an endpoint works with, `exchanging` yields its road."""

    def __init__(self, folder: Path, *, clock: Clock, url: str = "") -> None:
        """`url` is that of the broker, where it is not reached as the directory says.

        Raises:
            SettingsError: the folder does not hold a registered component whose certificates are good now.
        """
        self.folder, self._clock, self._url = folder, clock, url
        try:
            held = credentials.load(folder)
            self.told = enrolment.component_in(folder)
            keys, self._ends = held.keys(clock.now()), held.ends()
            self.tls = held.client_context(clock.now())
            self.client = client_in(folder, clock=clock, jitter=_spread, renewed=self._use_newer)
        except (OSError, msgspec.DecodeError, pki.CertificateRefused) as error:
            raise SettingsError(
                f"mades.dir: found {error}; expected the folder of a registered component. Register it with "
                "`tps mades register`."
            ) from error
        self.code, self.copy = self.told.code, self.client.copy
        self._sealer = Sealer(self.code, keys, self.copy)
        self.seals = Seals(
            self._sealer, refresh=self._refresh, route=self.copy.path, trouble=self.trouble, standing=self.standing
        )
        self._loops: list[asyncio.Task[None]] = []
        self._road: Approach | None = None

    async def _refresh(self, partner: str) -> bool:
        """Ask the directory out of turn; whether the copy is what it says, as of seconds ago at most."""
        await self.client.force(partner)
        return self.client.trouble is None

    async def _join(self, party: paths.Party, hub: str) -> None:
        """Be known: fetch the directory's content and tell it how this component is reached."""
        while True:
            try:
                await self.client.sync()
                await self.client.configure(self._configuration(party, hub))
                await self.client.sync()
            except Unavailable as error:
                if self.copy.stale() is None and self.copy.record(self.code):
                    return  # known from before; the directory is only away
                log.warning("directory.unavailable", component=self.code, retry_s=PAUSE_S, error=str(error))
                await self._clock.sleep(PAUSE_S)
            except (Rejected, pki.CertificateRefused) as error:
                raise SettingsError(f"The component directory refuses {self.code}: {error}.") from error
            else:
                return

    @asynccontextmanager
    async def exchanging(self, party: paths.Party, *, hub: str, heartbeat_s: int = 10) -> AsyncIterator[Transport]:
        """The road to the broker, for as long as the block lasts; meanwhile directory and certificates are followed.

        Waits for the directory when it never answered before, and for the broker not at all: what is written meanwhile
        leaves when it answers.

        Raises:
            SettingsError: the directory refuses what this component says of itself.
            Refused: the broker does not let this component in.
        """
        await self._join(party, hub)
        self._road = road = Approach(lambda: self._connected(heartbeat_s), clock=self._clock)
        await road.attempt()
        approaching = asyncio.create_task(road.run(), name=f"{self.code}.approach")
        self._loops = [
            asyncio.create_task(self.client.run(), name=f"{self.code}.directory"),
            asyncio.create_task(self._use_in_turn(), name=f"{self.code}.certificates"),
        ]
        try:
            yield road
        finally:
            for task in (approaching, *self._loops):
                task.cancel()
            await asyncio.gather(approaching, *self._loops, return_exceptions=True)
            await road.close()

    async def _connected(self, heartbeat_s: int) -> AmqpTransport:
        return await AmqpTransport.connect(
            self.broker_url(),
            code=self.code,
            tls=self.tls,
            suffix=self.told.queue_suffix,
            heartbeat_s=heartbeat_s,
        )

    def must_be(self, code: str, setting: str) -> None:
        """Raise SettingsError unless this is the component that `setting` names."""
        if code != self.code:
            raise SettingsError(f"mades.dir: found the component {self.code}; expected {code}, as {setting} says.")

    def trouble(self) -> str | None:
        """What keeps this component from working with others; None when nothing does."""
        if any(loop.done() for loop in self._loops):
            return "The component directory is no longer followed. See the log, then start again."
        if self._ends <= self._clock.now():
            return f"The certificates ended on {self._ends:%Y-%m-%d}. Register anew."
        return self.copy.stale() or (self._road.trouble if self._road else None)

    def standing(self) -> Standing:
        """What this component stands on."""
        now = self._clock.now()
        return Standing(
            content_id=self.copy.content_id,
            directory_age=now - self.copy.confirmed if self.copy.confirmed else None,
            certificates_left=self._ends - now,
        )

    def broker_url(self) -> str:
        """Where the broker is. Raises Unavailable: nobody has said it yet."""
        urls = [self._url] if self._url else [url.address for url in self._broker().configuration.urls]
        if not urls:
            raise Unavailable("The component directory lists no address of the broker.")
        return urls[0]

    def _broker(self) -> ComponentRecord:
        for code in sorted(self.copy.codes):
            record = self.copy.record(code)
            if record is not None and record.party is Party.BROKER:
                return record
        raise Unavailable("The component directory lists no broker.")

    def _configuration(self, party: paths.Party, hub: str) -> Configuration:
        """How this component is reached: over the one broker, for what the table lets others send to it (R27)."""
        broker = self._broker()
        return Configuration(
            networks=(NETWORK,), paths=tuple(_incoming(party, hub, broker.code)), implementation=implementation()
        )

    async def _use_in_turn(self) -> None:
        """When the certificates in use have ended, those that were renewed meanwhile have their turn."""
        while True:
            await self._clock.sleep(LOOK_S)
            self._use_newer()

    def _use_newer(self) -> None:
        """Certificates have changed: sign, decrypt and log in with what is preferred now."""
        now = self._clock.now()
        try:
            held = credentials.load(self.folder)
            self._sealer.use(held.keys(now))
            self._ends = held.ends()
            pair = held.preferred(CertificateType.AUTHENTICATION, now)
        except (OSError, pki.CertificateRefused) as error:
            log.error("certificates.unusable", component=self.code, error=str(error))
            return
        # Connections that stand keep the old certificate; the next one made shows the new.
        self.tls.load_cert_chain(pair.certificate_file, pair.key_file)


def implementation() -> Implementation:
    """This program, as components say it of themselves."""
    return Implementation(
        name="trade-permission-system", version=VERSION, compatible_versions=VERSION, mades_version=MADES_VERSION
    )


def _incoming(party: paths.Party, hub: str, broker: str) -> Sequence[MessagePath]:
    """A path for every business type that may be sent to this party; participants hear the hub and nobody else (F1)."""
    senders = () if party is paths.Party.HUB else (hub,)
    return [
        MessagePath(senders=senders, message_type=business_type, broker=broker, valid_from=ALWAYS)
        for business_type in paths.receivable(party)
    ]


def _spread() -> float:
    return random.uniform(-1, 1)  # noqa: S311 # spreads load, keeps no secret
