"""The broker lets in whom the directory lists: its users, queues and permissions follow every decision (F1, NF3).

Without an address of its management interface (`management.url`) the broker is provisioned by hand (`tps broker`).
"""

import ssl
from collections.abc import Sequence
from typing import Final

import structlog

from hub.directory_service.reading import Reading
from hub.errors import SettingsError, Unavailable
from hub.mades import provision
from hub.mades.management import managing
from hub.mades.paths import Party
from hub.mades.topology import Registered
from hub.ports import Refused
from hub.settings import Management

LOOK_S: Final = 60.0
"""A decision that could not be told to the broker at once is told to it within this time after it is back."""

log = structlog.get_logger("hub.directory")


class Gate:
    """The broker of a directory, as far as who may come in."""

    def __init__(self, directory: Reading, chosen: Management) -> None:
        self._directory, self._chosen = directory, chosen
        self._told: Sequence[Registered] | None = None

    async def fit(self) -> None:
        """Make the broker fit the directory, unless it does since the last call; does nothing without an address.

        Who is revoked is thrown out before anything else. Before there is a hub there is nothing to provision.

        Raises:
            Unavailable: the broker does not answer.
            Refused: it does not do what it is told.
            SettingsError: the authority behind its https address cannot be read.
        """
        registered = await self._directory.registered()
        if not self._chosen.url or registered == self._told:
            return
        async with managing(self._chosen.url, password=self._chosen.password.reveal(), tls=self._tls()) as broker:
            for each in registered:
                if each.revoked and await provision.revoke(broker, each.code):
                    log.info("broker.revoked", component=each.code)
            if any(each.party is Party.HUB for each in registered):
                changes = await provision.provision(broker, registered)
                log.info("broker.provisioned", made=len(changes.made), removed=len(changes.removed))
        self._told = registered

    async def keep(self) -> None:
        """Look regularly whether the broker has to be told something, until cancelled."""
        while True:
            try:
                await self.fit()
            except (Unavailable, Refused) as error:
                log.error("broker.not_provisioned", retry_s=LOOK_S, error=str(error))
            await self._directory.clock.sleep(LOOK_S)

    def _tls(self) -> ssl.SSLContext | None:
        try:
            return ssl.create_default_context(cafile=self._chosen.ca) if self._chosen.ca else None
        except OSError as error:
            raise SettingsError(f"management.ca: found {error}; expected certificates (PEM) to read.") from error
