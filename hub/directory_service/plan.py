"""A platform as its operator writes it down: directory, broker, hub, and who takes part (floor 7; `tps init`).

```toml
organization = "Operator of the platform"

[directory]
id = "45X-TPS-DIR-DEMS"
hosts = "directory.example"
database = "postgresql://directory@db.example/directory"

[broker]
id = "45X-TPS-BRK-DEMN"
hosts = "broker.example"

[hub]
id = "45X-TPS-HUB-DEM8"
database = "postgresql://hub@db.example/hub"

[[participant]]
name = "north"
id = "5790000000005"
role = "DSO"
elsewhere = true
```
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct, field

from documents import identifiers
from documents.errors import IdentifierError
from documents.values import Identifier
from hub.errors import SettingsError
from hub.mades.paths import VIRTUAL_HOST
from hub.settings import EMBEDDED
from hub.values import Role

Value = str | int | float | bool
Sections = Mapping[str, Mapping[str, Value]]
"""Settings as a file has them: section, name, value."""
Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,39}$")]
PORT: Final = 8080
RESERVED: Final = frozenset({"hub", "broker", "directory"})


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every process has. `settings` are further ones for its file, by section."""

    id: str
    database: str = EMBEDDED
    settings: Sections = field(default_factory=dict)


class PlannedDirectory(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The component directory; `port` is for components, `http_port` for its operator."""

    hosts: str = "localhost,127.0.0.1"
    port: int = 8443
    http_port: int = 8440

    @property
    def url(self) -> str:
        """Where components reach it."""
        return f"https://{self.hosts.split(',', maxsplit=1)[0].strip()}:{self.port}"


class PlannedBroker(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker, under the names in its certificate; the first one is told to components."""

    id: str
    hosts: str = "localhost,127.0.0.1"
    port: int = 5671

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names in its certificate."""
        return tuple(host.strip() for host in self.hosts.split(","))

    @property
    def url(self) -> str:
        """Where components reach it."""
        return f"amqps://{self.host_names[0]}:{self.port}/{VIRTUAL_HOST}"


class PlannedHub(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hub; `port` is the operator's door."""

    port: int = PORT


class PlannedParticipant(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who takes part (R1). `elsewhere`: it registers itself, so that its keys are made on its own machine."""

    name: Name
    role: Role
    brp: str | None = None
    port: int | None = None
    elsewhere: bool = False


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole platform."""

    directory: PlannedDirectory
    broker: PlannedBroker
    hub: PlannedHub
    organization: str = "Operator of the platform"
    participants: tuple[PlannedParticipant, ...] = field(name="participant", default=())

    def code(self, written: str) -> Identifier:
        """A component's code as people write it. Raises SettingsError."""
        national = self.hub.settings.get("hub", {}).get("national_scheme", "NDK")
        try:
            return identifiers.party(written, national=str(national))
        except IdentifierError as error:
            raise SettingsError(f"The platform file names {written!r}: {error}") from error

    def port(self, participant: PlannedParticipant) -> int:
        """Where a participant's gateway listens: as told, else in the order of the file after the hub."""
        return participant.port or self.hub.port + 1 + self.participants.index(participant)


def read(file: Path) -> Plan:
    """The platform in a TOML file. Raises SettingsError: what was found and expected."""
    try:
        plan = msgspec.toml.decode(file.read_bytes(), type=Plan)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}. Expected: a platform file (TOML).") from error
    except msgspec.DecodeError as error:
        raise SettingsError(f"{file}: {error}. See `tps init --help` for what a platform file holds.") from error
    _check(plan, file)
    return plan


def _check(plan: Plan, file: Path) -> None:
    """Raise SettingsError unless everybody has a name and a code of their own, and AGRs have a BRP."""
    written = [plan.directory.id, plan.broker.id, plan.hub.id, *(each.id for each in plan.participants)]
    codes = [str(plan.code(each)) for each in written]
    names = [each.name for each in plan.participants]
    for found, what in ((codes, "id"), (names, "name")):
        if twice := sorted({each for each in found if found.count(each) > 1}):
            raise SettingsError(f"{file}: found the {what} {twice[0]} twice; expected one for each.")
    if taken := sorted(RESERVED & set(names)):
        raise SettingsError(f"{file}: found a participant named {taken[0]}, which is a part of the platform.")
    for each in plan.participants:
        if (each.brp is not None) != (each.role is Role.AGR):
            raise SettingsError(f"{file}: {each.name} is {each.role}; expected brp for an AGR and for nobody else.")


EXAMPLE: Final = """\
# The platform in this folder. Name more participants and run `tps init` again: it adds what is new.
# database: "postgresql://user@host/name"; "embedded" keeps a private server in the folder of the process.

organization = "Operator of the platform"

[directory]
id = "45X-TPS-DIR-DEMS"
hosts = "localhost,127.0.0.1"
port = 8443
database = "embedded"

[broker]
id = "45X-TPS-BRK-DEMN"
hosts = "localhost,127.0.0.1"
port = 5671

[hub]
id = "45X-TPS-HUB-DEM8"
port = 8080
database = "embedded"

# [[participant]]
# name = "north"
# id = "5790000000005"
# role = "DSO"
# elsewhere = true    # it registers itself, and its keys never leave its machine
#
# [[participant]]
# name = "charlie"
# id = "45X-BRP-CHARLIEG"
# role = "BRP"
#
# [[participant]]
# name = "alpha"
# id = "45X-AGR-ALPHA--N"
# role = "AGR"
# brp = "45X-BRP-CHARLIEG"
"""
