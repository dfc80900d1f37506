"""How the operator brings components of a platform into being on one machine, keys and all (floor 7).

For the platform's own components, for `tps init` and for the demo. Whoever runs a component elsewhere registers it from
there instead (`tps mades register`), so that its keys never leave its machine.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, structs

from hub.directory.values import Configuration, Contact, Party, Url
from hub.directory_service.directory import Directory
from hub.mades import credentials, enrolment, pki
from hub.mades.membership import NETWORK, implementation

AUTHORITY: Final = "authority.pem"
"""Whom the broker believes: everybody whose certificate leads to these."""


class ServerFiles(Struct, frozen=True):
    """What a TLS server shows itself with, and whom it trusts (PEM)."""

    certificate: Path
    key: Path
    authority: Path


class Founder(Struct, frozen=True):
    """A running directory and the address it is reached at; `by` is who founds, and `why`."""

    directory: Directory
    url: str
    organization: str
    by: str
    why: str = "enrolled by the operator"

    async def enrol(self, folder: Path, code: str, party: Party) -> None:
        """Fill a component's folder; one that is filled only learns where the directory is now. Raises Rejected."""
        if (folder / enrolment.COMPONENT).exists():
            told = structs.replace(enrolment.component_in(folder), directory_url=self.url)
            credentials.write(folder / enrolment.COMPONENT, msgspec.json.encode(told))
            return
        contact = Contact(organization=self.organization, person="", email="", phone="")
        await self.directory.enrol(folder, code, party, contact, by=self.by, why=self.why, url=self.url)

    async def enrol_broker(self, folder: Path, code: str, *, hosts: Sequence[str]) -> ServerFiles:
        """Fill the broker's folder, with what its listener needs under these names. Raises Rejected."""
        await self.enrol(folder, code, Party.BROKER)
        authority, now = self.directory.authority, self.directory.clock.now()
        credentials.write(folder / AUTHORITY, pki.pem_of(authority.issuing.certificate, authority.root))
        certificate, key = authority.server_files(folder, hosts, now=now)
        return ServerFiles(certificate, key, folder / AUTHORITY)

    async def tell_broker(self, code: str, address: str) -> None:
        """Let everybody know where the broker listens (`amqps://host:port/vhost`). Raises Rejected."""
        where = Url(network=NETWORK, address=address)
        declared = Configuration(networks=(NETWORK,), urls=(where,), implementation=implementation())
        await self.directory.configure(code, declared)
