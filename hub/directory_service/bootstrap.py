"""A whole platform in one folder: authority, directory, broker, hub, participants (floor 7; `tps init`, the demo).

    directory/       settings and authority of the component directory
    members/hub/     settings, keys and certificates of the hub; so for each participant: a folder that moves as a whole
    members/broker/  its server certificate, whom it trusts, and `rabbitmq.conf`

What is there stays: done again it adds who is new, and leaves everybody else alone. A folder that was taken to another
machine is not made anew.
"""

import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hub.app.process import operating
from hub.commands import AddParticipant
from hub.compose import decoded
from hub.directory.values import Party
from hub.directory_service.authority import founded_authority
from hub.directory_service.directory import Directory
from hub.directory_service.founding import Founder, ServerFiles
from hub.directory_service.plan import Plan, PlannedParticipant, Sections
from hub.directory_service.process import opened
from hub.mades import credentials, enrolment
from hub.ports import OPERATOR, Scope
from hub.rows import PARTICIPANTS, Participant
from hub.settings import DirectorySettings, HubSettings, load
from hub.values import Role

SETTINGS: Final = "settings.toml"
SECRET_BYTES: Final = 32
EVERYBODY: Final = 100_000
PLANNED: Final = "named in the platform file"
VERBS: Final = {Role.DSO: "dso", Role.AGR: "agr", Role.BRP: "agr"}


class Founded(Struct, frozen=True, kw_only=True):
    """What a bootstrap made, in words, and what is left to do."""

    folder: Path
    made: tuple[str, ...]
    next: tuple[str, ...]


def directory_folder(folder: Path) -> Path:
    """Where the directory and its authority are."""
    return folder / "directory"


def member(folder: Path, name: str) -> Path:
    """Where a component's settings, keys and certificates are."""
    return folder / "members" / name


async def found(folder: Path, plan: Plan, *, why: str = PLANNED, by: str, cause: str) -> Founded:
    """Make what is missing of the platform in this folder; `why`, `by` whom and the `cause` are kept in both logs.

    Raises:
        SettingsError: settings, authority or a database cannot be used.
        Unavailable: a database does not answer; do it again.
        Rejected: somebody cannot be admitted, in the words of the rule (R1).
    """
    made = _found_parts(folder, plan)
    made += [f"participant {name}" for name in await admit(_hub_settings(folder), plan, why=why, by=by, cause=cause)]
    async with _founding(folder, plan, why=why, by=by, cause=cause) as founder:
        made += [f"keys and certificates of {name}" for name in await enrol(founder, folder, plan)]
        if member(folder, "broker").exists():
            await _found_broker(founder, folder, plan)
    return Founded(folder=folder, made=tuple(made), next=tuple(_next(folder, plan)))


async def admit(settings: HubSettings, plan: Plan, *, why: str = PLANNED, by: str, cause: str) -> list[str]:
    """Make everybody new in the plan a participant (R1); returns their names. Raises Rejected."""
    async with operating(settings) as (desk, store):
        items = await store.rows.list(Scope(OPERATOR), PARTICIPANTS, limit=EVERYBODY)
        known = {row.participant for item in items if (row := decoded(item, Participant))}
        new = [each for each in admissions(plan, why=why, by=by) if each.participant not in known]
        for each in new:
            await desk.submit(each, cause=cause)
    return [each.name for each in new]


def admissions(plan: Plan, *, why: str = PLANNED, by: str) -> list[AddParticipant]:
    """What makes everybody in the plan a participant (R1)."""
    return [
        AddParticipant(
            participant=plan.code(each.id),
            role=each.role,
            name=each.name,
            brp=plan.code(each.brp) if each.brp else None,
            why=why,
            by=by,
        )
        for each in plan.participants
    ]


async def enrol(founder: Founder, folder: Path, plan: Plan) -> list[str]:
    """Give keys and certificates to everybody new who is to have them here, the broker too; returns their names.

    Raises Rejected.
    """
    known = {entry.code for entry in await founder.directory.board()}
    made = []
    for name, code, party in _members(plan):
        own = member(folder, name)
        if not _has_left(own, is_known=code in known):
            made += [name] if not (own / enrolment.COMPONENT).exists() else []
            await founder.enrol(own, code, party)
    return made


async def broker_files(founder: Founder, folder: Path, plan: Plan) -> ServerFiles:
    """What the broker's listener needs. Raises Rejected."""
    broker = plan.broker
    return await founder.enrol_broker(member(folder, "broker"), plan.code(broker.id), hosts=broker.host_names)


def write_settings(file: Path, sections: Sections) -> None:
    """Write a settings file that only its owner may read."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    credentials.write(file, _toml(sections).encode())


def directory_sections(plan: Plan) -> Sections:
    """Settings of the directory, for a file in its own folder."""
    planned = plan.directory
    own: Sections = {
        "directory": {
            "id": planned.id,
            "dir": ".",
            "organization": plan.organization,
            "hosts": planned.hosts,
            "port": planned.port,
            "hub_settings": str(Path("..") / "members" / "hub" / SETTINGS),
        },
        **_common(planned.database, planned.http_port),
    }
    return merged(own, planned.settings)


def hub_sections(plan: Plan, *, secret: str) -> Sections:
    """Settings of the hub, for a file in its own folder."""
    own: Sections = {
        "hub": {"id": plan.hub.id, "secret": secret},
        "mades": {"dir": "."},
        **_common(plan.hub.database, plan.hub.port),
    }
    return merged(own, plan.hub.settings)


def participant_sections(plan: Plan, each: PlannedParticipant) -> Sections:
    """Settings of a participant's gateway or message box, for a file in its own folder."""
    own: Sections = {
        "participant": {"id": each.id, "role": each.role.value, "name": each.name},
        "gateway": {"hub_id": plan.hub.id},
        "mades": {"dir": "."},
        **_common(each.database, plan.port(each)),
    }
    return merged(own, each.settings)


def merged(own: Sections, more: Sections) -> Sections:
    """Settings of a part with more of them; those win."""
    return {name: {**own.get(name, {}), **more.get(name, {})} for name in (*own, *(more.keys() - own.keys()))}


def _found_parts(folder: Path, plan: Plan) -> list[str]:
    """Authority, and settings of directory and hub."""
    home, hub = directory_folder(folder), member(folder, "hub")
    made = [] if (home / "root.pem").exists() else ["root and issuing authority"]
    founded_authority(home, plan.organization)
    if not (home / SETTINGS).exists():
        write_settings(home / SETTINGS, directory_sections(plan))
        made.append("settings of directory")
    if not (hub / SETTINGS).exists():
        write_settings(hub / SETTINGS, hub_sections(plan, secret=secrets.token_hex(SECRET_BYTES)))
        made.append("settings and secret of hub")
    return made


@asynccontextmanager
async def _founding(folder: Path, plan: Plan, *, why: str, by: str, cause: str) -> AsyncIterator[Founder]:
    # No environment: what is meant for one process would reach the other too.
    settings = load(DirectorySettings, directory_folder(folder) / SETTINGS, {})
    async with opened(settings, cause=cause) as directory:
        await _settings_of_participants(directory, folder, plan)
        yield Founder(directory, plan.directory.url, plan.organization, by, why)


async def _settings_of_participants(directory: Directory, folder: Path, plan: Plan) -> None:
    known = {entry.code for entry in await directory.board()}
    for each in plan.participants:
        file = member(folder, each.name) / SETTINGS
        if not file.exists() and plan.code(each.id) not in known:
            write_settings(file, participant_sections(plan, each))


async def _found_broker(founder: Founder, folder: Path, plan: Plan) -> None:
    """The broker's certificate, and its configuration unless there is one; everybody is told where it listens."""
    tls = await broker_files(founder, folder, plan)
    await founder.tell_broker(plan.code(plan.broker.id), plan.broker.url)
    file = member(folder, "broker") / "rabbitmq.conf"
    if not file.exists():
        credentials.write(file, _rabbitmq(plan, tls).encode())


def _hub_settings(folder: Path) -> HubSettings:
    return load(HubSettings, member(folder, "hub") / SETTINGS, {})


def _members(plan: Plan) -> Iterable[tuple[str, str, Party]]:
    """Everybody whose keys are made here: name, code, part in the exchange."""
    yield "broker", plan.code(plan.broker.id), Party.BROKER
    yield "hub", plan.code(plan.hub.id), Party.HUB
    for each in plan.participants:
        if not each.elsewhere:
            yield each.name, plan.code(each.id), Party(each.role.value)


def _has_left(own: Path, *, is_known: bool) -> bool:
    """Whether a component's keys were made once and are here no longer: they work on another machine."""
    is_unfinished = (own / credentials.PENDING).exists()
    return is_known and not is_unfinished and not (own / enrolment.COMPONENT).exists()


def _common(database: str, port: int) -> Sections:
    return {"database": {"url": database, "dir": "database"}, "http": {"port": port}}


def _toml(sections: Sections) -> str:
    """Sections of plain values; JSON's way to write them is TOML's too."""
    return "\n".join(
        f"[{section}]\n"
        + "".join(f"{name} = {msgspec.json.encode(value).decode()}\n" for name, value in content.items())
        for section, content in sections.items()
    )


def _rabbitmq(plan: Plan, tls: ServerFiles) -> str:
    """The whole configuration of RabbitMQ; where its certificate is has to follow when the folder moves."""
    own = {
        "listeners.ssl.default": plan.broker.port,
        "ssl_options.cacertfile": tls.authority.absolute(),
        "ssl_options.certfile": tls.certificate.absolute(),
        "ssl_options.keyfile": tls.key.absolute(),
        "management.tcp.ip": "127.0.0.1",
    }
    lines = "".join(f"{name} = {value}\n" for name, value in own.items())
    return files("hub.mades").joinpath("rabbitmq.conf").read_text("utf-8") + "\n" + lines


def _next(folder: Path, plan: Plan) -> Iterable[str]:
    """What the operator does now, in order."""
    home = directory_folder(folder)
    if (home / "root.key").exists():
        yield f"Take {home / 'root.key'} to where nobody reaches it over a network, and remove it here."
    yield f"Give {home / 'root.pem'} to everybody who registers from another machine."
    yield f"Configure RabbitMQ with {member(folder, 'broker') / 'rabbitmq.conf'}, then: {_tps(home)} broker provision"
    yield f"{_tps(home)} directory run"
    yield f"{_tps(member(folder, 'hub'))} hub"
    for each in plan.participants:
        own = member(folder, each.name)
        if each.elsewhere:
            yield f"{_tps(home)} directory tokens issue {each.id} --party {each.role.value}"
            yield f"Give the token, {plan.directory.url} and {own / SETTINGS} to {each.name}: see `tps mades register`."
        elif own.exists():
            yield f"{_tps(own)} {VERBS[each.role]}"


def _tps(own: Path) -> str:
    return f"tps --settings {own / SETTINGS}"
