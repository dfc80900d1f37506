"""Settings: what an operator can choose, checked before anything starts (floor 7).

Each value comes from the last of these that names it: the default here, the TOML file (`--settings`), the environment
(`TPS__SECTION__NAME`, or `TPS__SECTION__NAME_FILE` naming a file that holds the value), `--set section.name=value`.
Every problem is reported at once: where, what was found, what was expected. Secrets never show, not even in errors.
The descriptions below are the documentation: the table in docs/operating.md is made from them.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, field

from hub.logs import Format, Level
from hub.settings_sources import Effective, Kind, Secret, Setting, describe, explain, read
from hub.values import Role

__all__ = [
    "EMBEDDED",
    "KINDS",
    "DirectorySettings",
    "Effective",
    "GatewaySettings",
    "HubSettings",
    "Queues",
    "Secret",
    "Setting",
    "Sources",
    "describe",
    "load",
]

EMBEDDED: Final = "embedded"

Id = Annotated[str, Meta(min_length=3, max_length=64)]
Seconds = Annotated[float, Meta(gt=0)]


class Participant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who this gateway acts for."""

    id: Annotated[Id, Meta(description="EIC or GLN of the participant; also its component code")]
    role: Annotated[Role, Meta(description="Role the participant is registered with")]
    name: Annotated[str, Meta(description="Name shown to its own people; never sent")] = ""


class Market(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What hub and gateways must agree on."""

    domain: Annotated[
        str, Meta(description="EIC of the area the documents are about", min_length=16, max_length=16)
    ] = "10YDK-2--------M"
    national_scheme: Annotated[
        str, Meta(description="Coding scheme of an id that is neither EIC, GSRN nor GLN (R2)", pattern=r"^N[A-Z]{2}$")
    ] = "NDK"
    timezone: Annotated[str, Meta(description="Local time of the market: where its days begin and end")] = (
        "Europe/Copenhagen"
    )

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (OSError, ValueError, LookupError):
            raise ValueError(f"timezone is {self.timezone!r}; expected a name such as Europe/Copenhagen") from None


class Hub(Market, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only the hub decides."""

    id: Annotated[Id, Meta(description="EIC or GLN of the hub; also its component code")]
    secret: Annotated[
        Secret, Meta(description="Key of the hashes that make outgoing mRIDs, 32 characters or more (R18)")
    ]
    beat_s: Annotated[Seconds, Meta(description="Time between pushes of assets and schedules (R12)")] = 2.0
    alarm_s: Annotated[
        Seconds, Meta(description="An unforeseen limit not delivered within this alarms the operator (R27)")
    ] = 60.0
    keep_payloads_days: Annotated[
        int,
        Meta(
            ge=0, le=36_500, description="Raw documents are erased so many days after they came; 0 keeps them for ever"
        ),
    ] = 0
    checkpoint_s: Annotated[Seconds, Meta(description="Time between signed checkpoints of a log that grows")] = 60.0
    checkpoint_records: Annotated[
        int, Meta(ge=1, description="Records after which a checkpoint is signed whatever the time")
    ] = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.secret.reveal()) < 32:
            raise ValueError(
                "secret is too short; expected 32 characters or more, for example from: openssl rand -hex 32"
            )


class Gateway(Market, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a gateway works with the hub."""

    hub_id: Annotated[Id, Meta(description="EIC or GLN of the hub: the only one this gateway talks to")]
    reminder_s: Annotated[
        Seconds, Meta(description="A DSO is reminded this long before an unforeseen limit ends (R15)")
    ] = 900.0
    resync_s: Annotated[Seconds, Meta(description="Time between requests for the full state (R13)")] = 86_400.0
    waiting_max: Annotated[
        int, Meta(ge=1, description="Messages that may wait to be delivered; beyond it new ones are refused")
    ] = 10_000
    ui: Annotated[bool, Meta(description="Charts of one's own rows at /ui, for people; a token logs in")] = False


class Directory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Component Directory: who it is, what it signs with, where components reach it."""

    id: Annotated[Id, Meta(description="EIC of the directory; also its component code")]
    dir: Annotated[Path, Meta(description="Folder of its authority, keys and certificates")] = Path(".tps-directory")
    organization: Annotated[str, Meta(description="Who operates it, as its components are told", min_length=1)] = (
        "Operator of the platform"
    )
    email: Annotated[str, Meta(description="Where its operator is reached, as its components are told")] = ""
    hosts: Annotated[
        str, Meta(description="Names and addresses in its server certificate, parted by commas", min_length=1)
    ] = "localhost,127.0.0.1"
    host: Annotated[str, Meta(description="Address to listen on for components", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on for components; 0 takes a free one")] = (
        8443
    )
    network: Annotated[str, Meta(description="Name of the network that its components are on", min_length=1)] = (
        "internet"
    )
    ttl_s: Annotated[Seconds, Meta(description="How long a component may use its copy without news; 28 days")] = (
        2_419_200.0
    )
    validity_days: Annotated[int, Meta(ge=1, le=825, description="How long a component's certificates hold")] = 365
    hub_settings: Annotated[
        Path | None, Meta(description="Settings file of the hub, whose participants may be approved (R1)")
    ] = None

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names in its server certificate, the first one being what it is called."""
        return tuple(host.strip() for host in self.hosts.split(","))


class Database(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the log and the rows are kept."""

    url: Annotated[Secret, Meta(description="`postgresql://...`, or `embedded` for a private server in `dir`")] = (
        Secret(EMBEDDED)
    )
    dir: Annotated[Path, Meta(description="Folder of the embedded database")] = Path(".tps")
    pool_min: Annotated[int, Meta(ge=1, le=200, description="Connections kept open")] = 1
    pool_max: Annotated[int, Meta(ge=1, le=200, description="Connections at most")] = 4

    def __post_init__(self) -> None:
        if self.pool_min > self.pool_max:
            raise ValueError(f"pool_min is {self.pool_min}; expected at most pool_max, which is {self.pool_max}")


class Broker(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The road between the endpoints."""

    url: Annotated[
        str, Meta(description="`amqps://host:port/vhost`; empty: where the component directory says it is")
    ] = ""
    heartbeat_s: Annotated[int, Meta(ge=1, le=600, description="Silence after which the connection counts as lost")] = (
        10
    )


class Management(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """RabbitMQ's management interface, so that the broker lets in whom the directory lists, from each decision on."""

    url: Annotated[
        str, Meta(description="`http://user@host:15672` of RabbitMQ; empty: provisioned by hand (`tps broker`)")
    ] = ""
    password: Annotated[Secret, Meta(description="The password of that user")] = Secret("")
    ca: Annotated[Path | None, Meta(description="Authority (PEM) behind an https address")] = None


class Mades(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """This component in the exchange: what it proves itself with, and the directory it is registered at."""

    dir: Annotated[
        Path, Meta(description="Folder of the component's keys and certificates, filled by `tps mades register`")
    ] = Path(".tps-mades")


class Queues(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The queues of ECP that a message box offers to a business application, at a broker of the participant's own."""

    url: Annotated[
        Secret, Meta(description="`amqps://user:password@host:port/vhost` of the queues; empty: there are none")
    ] = Secret("")
    prefix: Annotated[str, Meta(description="What the names of the queues begin with, before `ecp.endpoint`")] = ""
    ca_file: Annotated[Path | None, Meta(description="Whom to trust (PEM); none: the authorities of the system")] = None
    cert_file: Annotated[
        Path | None, Meta(description="Certificate to log in with (PEM), where the url names no user")
    ] = None
    key_file: Annotated[Path | None, Meta(description="Private key of the certificate (PEM)")] = None

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("only one of cert_file and key_file is set; expected both, or none")
        scheme = self.url.reveal().partition(":")[0]
        if scheme not in {"", "amqp", "amqps"}:
            raise ValueError("url is none of AMQP; expected amqps://user:password@host:port/vhost")


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The door for the participant's own systems, or for the operator of the hub."""

    host: Annotated[str, Meta(description="Address to listen on", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one")] = 8080
    cert_file: Annotated[Path | None, Meta(description="Certificate chain (PEM); none: plain HTTP")] = None
    key_file: Annotated[Path | None, Meta(description="Private key of the certificate (PEM)")] = None
    max_body_bytes: Annotated[int, Meta(ge=1024, le=256 * 1024**2, description="Largest request body")] = 16 * 1024**2
    rate_per_s: Annotated[float, Meta(gt=0, description="Requests per second and token, on average")] = 50.0
    burst: Annotated[int, Meta(ge=1, description="Requests a token may make at once after a pause")] = 200
    page_max: Annotated[int, Meta(ge=1, le=10_000, description="Most items in one answer")] = 1000
    polls_max: Annotated[int, Meta(ge=1, description="Long polls that may wait at the same time")] = 5000

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("only one of cert_file and key_file is set; expected both, or none")
        for path in filter(None, (self.cert_file, self.key_file)):
            if not path.is_file():
                raise ValueError(f"there is no file {str(path)!r}; expected a PEM file that this user may read")


class Web(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The operator's pages (F3): a port of their own, off as long as no password is set."""

    password: Annotated[
        Secret, Meta(description="What the operator logs in with, 12 characters or more; empty: there are no pages")
    ] = Secret("")
    host: Annotated[str, Meta(description="Address to listen on", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one")] = 8090
    cert_file: Annotated[Path | None, Meta(description="Certificate chain (PEM); none: plain HTTP")] = None
    key_file: Annotated[Path | None, Meta(description="Private key of the certificate (PEM)")] = None
    session_h: Annotated[float, Meta(gt=0, le=168, description="Hours after which one has to log in again")] = 12.0

    def __post_init__(self) -> None:
        if 0 < len(self.password.reveal()) < 12:
            raise ValueError("password is too short; expected 12 characters or more, for example from: pwgen 20 1")
        _ = self.http  # its checks are ours too

    @property
    def is_on(self) -> bool:
        """Whether there are pages at all."""
        return bool(self.password.reveal())

    @property
    def http(self) -> Http:
        """Where and how they listen."""
        return Http(host=self.host, port=self.port, cert_file=self.cert_file, key_file=self.key_file)


class Traces(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the spans of this component go, for one's own people."""

    url: Annotated[
        str,
        Meta(
            description="OTLP/HTTP address of a collector, such as `http://localhost:4318/v1/traces`; empty: no traces",
            pattern=r"^(https?://\S+)?$",
        ),
    ] = ""


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written to stderr."""

    level: Annotated[Level, Meta(description="Least severity that is written")] = "info"
    format: Annotated[Format, Meta(description="`auto`: console on a terminal, else JSON")] = "auto"


class HubSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `tps hub` and of the commands that look into its log."""

    hub: Hub
    database: Database = field(default_factory=Database)
    mades: Mades = field(default_factory=Mades)
    broker: Broker = field(default_factory=Broker)
    http: Http = field(default_factory=Http)
    web: Web = field(default_factory=Web)
    traces: Traces = field(default_factory=Traces)
    log: Log = field(default_factory=Log)


class GatewaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `tps agr` and `tps dso`."""

    participant: Participant
    gateway: Gateway
    database: Database = field(default_factory=Database)
    mades: Mades = field(default_factory=Mades)
    broker: Broker = field(default_factory=Broker)
    queues: Queues = field(default_factory=Queues)
    http: Http = field(default_factory=Http)
    traces: Traces = field(default_factory=Traces)
    log: Log = field(default_factory=Log)


class DirectorySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `tps directory`; `http` is the operator's own door."""

    directory: Directory
    management: Management = field(default_factory=Management)
    database: Database = field(default_factory=Database)
    http: Http = field(default_factory=Http)
    log: Log = field(default_factory=Log)


KINDS: Final[tuple[type[Struct], ...]] = (HubSettings, GatewaySettings, DirectorySettings)
"""Every kind of settings. One file or environment may serve several processes: each takes what is meant for it."""


class Sources(Struct, frozen=True):
    """Where settings are read from; the command line makes it and hands it to every command (`click.pass_obj`)."""

    toml: Path | None = None
    sets: tuple[str, ...] = ()

    def load(self, kind: type[Kind]) -> Kind:
        """Settings of one kind. Raises SettingsError with every problem."""
        return load(kind, toml=self.toml, sets=self.sets)

    def explain(self, kind: type[Struct]) -> tuple[Effective, ...]:
        """What holds for every setting of one kind, and why. Raises SettingsError with every problem."""
        return explain(kind, known_to=KINDS, toml=self.toml, env=os.environ, sets=self.sets)


def load(
    kind: type[Kind], toml: Path | None = None, env: Mapping[str, str] = os.environ, sets: Sequence[str] = ()
) -> Kind:
    """Read, merge and check the settings of one kind: `toml` < `env` < `sets` ("section.name=value").

    Raises:
        SettingsError: any value, name or file is wrong, or a required one is missing; the message lists all problems.
    """
    return read(kind, known_to=KINDS, toml=toml, env=env, sets=sets)
