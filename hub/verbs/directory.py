"""`tps directory`: run the Component Directory, and decide who takes part (R1)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click
import msgspec

from documents import identifiers
from documents.errors import IdentifierError
from hub.directory.rows import Application, BoardEntry, Invitation
from hub.directory.values import Party, Status
from hub.errors import Rejected
from hub.mades.certificates import CertificateType
from hub.settings import DirectorySettings, Sources
from hub.verbs.operating import AS_JSON, BY, MAY_WHY, WHY, operator

if TYPE_CHECKING:
    from hub.directory_service import Directory

PARTIES: Final = [party.value for party in Party]
SHORTEST_PREFIX: Final = 8
T = TypeVar("T")


@click.group()
def directory() -> None:
    """Run the Component Directory, and decide who takes part."""


@directory.command()
@click.pass_obj
def init(sources: Sources) -> None:
    """Make the authority: a root, an issuing authority under it, and their keys, in the folder `directory.dir`.

    Take `root.key` away from this machine afterwards: only a new issuing authority needs it. Give `root.pem` to every
    component.
    """
    from hub.clock import SystemClock  # noqa: PLC0415 - `--help` need not load a web server
    from hub.directory_service import make_authority  # noqa: PLC0415

    chosen = sources.load(DirectorySettings).directory
    try:
        made = make_authority(chosen.dir, chosen.organization, now=SystemClock().now())
    except FileExistsError:
        raise click.ClickException(f"{chosen.dir} holds an authority already. It is kept as it is.") from None
    click.echo(f"{made.folder / 'root.pem'} is what every component is given; keep {made.folder / 'root.key'} offline.")


@directory.command()
@click.pass_obj
def run(sources: Sources) -> None:
    """Run the directory. SIGINT and SIGTERM end it in good order."""
    from hub import logs  # noqa: PLC0415
    from hub.directory_service import process  # noqa: PLC0415

    settings = sources.load(DirectorySettings)
    logs.configure(settings.log.level, settings.log.format)
    asyncio.run(process.serve(settings))


@directory.group()
def tokens() -> None:
    """Invite components: a one-time token lets one code register."""


@tokens.command("issue")
@click.argument("code")
@click.option("--party", type=click.Choice(PARTIES, case_sensitive=False), help="What it is; else said at approval.")
@click.option("--days", type=click.IntRange(1, 365), default=7, help="Days until it expires.")
@MAY_WHY
@BY
@click.pass_obj
def issue(sources: Sources, *, code: str, party: str | None, days: int, why: str, by: str) -> None:
    """Make a token for CODE (a participant's EIC or GLN) and print it. It is told once and stored nowhere."""
    click.echo(
        _with_directory(
            sources,
            lambda it: it.invite(_code(code), _party(party), why=why, by=by, validity=timedelta(days=days)),
        )
    )


@tokens.command("list")
@AS_JSON
@click.pass_obj
def list_tokens(sources: Sources, *, as_json: bool) -> None:
    """List every token by its fingerprint."""
    invitations = _with_directory(sources, lambda it: it.invitations())
    _tell(invitations, map(_invitation_line, invitations), as_json=as_json)


@tokens.command("withdraw")
@click.argument("fingerprint")
@WHY
@BY
@click.pass_obj
def withdraw(sources: Sources, fingerprint: str, why: str, by: str) -> None:
    """Take back the unused token whose fingerprint begins like this (at least 8 characters)."""
    if len(fingerprint) < SHORTEST_PREFIX:
        raise click.UsageError(f"{fingerprint!r} is too short; give at least {SHORTEST_PREFIX} characters.")

    async def work(it: "Directory") -> bool:
        found = [each.fingerprint for each in await it.invitations() if each.fingerprint.startswith(fingerprint)]
        return await it.withdraw(found[0] if len(found) == 1 else fingerprint, why=why, by=by)

    changed = _with_directory(sources, work)
    click.echo("Withdrawn." if changed else "It was withdrawn already.")


@directory.command("list")
@AS_JSON
@click.pass_obj
def list_(sources: Sources, *, as_json: bool) -> None:
    """List the registrations that wait, and every component: code, party, status, end of certificates, who it is."""

    async def work(it: "Directory") -> tuple[list[Application], list[BoardEntry]]:
        return [each for each in await it.applications() if each.status is Status.PENDING], await it.board()

    waiting, board = _with_directory(sources, work)
    if as_json:
        from hub.directory_service.lists import shown  # noqa: PLC0415

        listed = {"waiting": [_without_requests(each) for each in waiting], "components": [shown(e) for e in board]}
        click.echo(msgspec.json.encode(listed).decode())
        return
    for application in waiting:
        click.echo(
            f"{application.code}  {application.party or '-'}  PENDING  {application.registration}  "
            f"{application.contact.organization}"
        )
    for entry in board:
        click.echo(f"{entry.code}  {entry.party}  {entry.status}  {_ends(entry)}  {entry.contact.organization}")


@directory.command()
@click.argument("code")
@AS_JSON
@click.pass_obj
def show(sources: Sources, code: str, *, as_json: bool) -> None:
    """Show one component with its contact, configuration, certificates, and who decided what last."""
    entry = _with_directory(sources, lambda it: it.entry(_code(code)))
    if entry is None:
        raise click.ClickException(f"No component {code} was approved. See `tps directory list`.")
    _tell(entry, _entry_lines(entry), as_json=as_json)


@directory.command()
@click.argument("registration")
@click.option("--party", type=click.Choice(PARTIES, case_sensitive=False), help="What it is, if its token did not say.")
@click.option(
    "--participants",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `tps participants list --json` printed at the hub; by default the hub is asked.",
)
@WHY
@BY
@click.pass_obj
def approve(  # noqa: PLR0917 # click passes them all by name
    sources: Sources, registration: str, party: str | None, participants: Path | None, why: str, by: str
) -> None:
    """Let REGISTRATION (its id, or the code that waits) in, and issue its certificates (R1).

    A DSO, AGR or BRP must be a participant of the hub, admitted by `tps participants add` or `tps init`. The hub is
    found by its settings file, named in `directory.hub_settings`.
    """

    async def work(it: "Directory") -> None:
        waiting = await _pending(it, registration)
        await _check_admitted(it, waiting, _party(party), participants, sources)
        await it.approve(waiting, party=_party(party), why=why, by=by)

    _with_directory(sources, work, admits=True)
    click.echo("Approved.")


@directory.command()
@click.argument("registration")
@WHY
@BY
@click.pass_obj
def reject(sources: Sources, registration: str, why: str, by: str) -> None:
    """Turn REGISTRATION (its id, or the code that waits) down. The reason is told to the component."""

    async def work(it: "Directory") -> None:
        await it.reject(await _pending(it, registration), why=why, by=by)

    _with_directory(sources, work)
    click.echo("Rejected.")


@directory.command()
@click.argument("code")
@click.option("--certificate", help="Revoke only the certificate with this id.")
@WHY
@BY
@click.pass_obj
def revoke(sources: Sources, code: str, certificate: str | None, why: str, by: str) -> None:
    """Put CODE out, or one of its certificates: others learn of it with their next sync.

    The broker, if it is managed from here (`management.url`), throws CODE out at once.
    """

    async def work(it: "Directory") -> bool:
        if certificate is None:
            return await it.revoke(_code(code), why=why, by=by)
        entry = await it.entry(_code(code))
        if entry is None or certificate not in {held.certificate_id for held in entry.certificates}:
            raise click.ClickException(f"{code} has no such certificate. See `tps directory show {code}`.")
        return await it.revoke_certificate(certificate, why=why, by=by)

    click.echo(f"{'Now' if _with_directory(sources, work, admits=True) else 'Already'} revoked.")


@directory.command()
@click.argument("code")
@WHY
@BY
@click.pass_obj
def reapprove(sources: Sources, code: str, why: str, by: str) -> None:
    """Let a revoked CODE back in, with the certificates that it had."""
    changed = _with_directory(sources, lambda it: it.reapprove(_code(code), why=why, by=by), admits=True)
    click.echo("Reapproved." if changed else "It is not revoked.")


@directory.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write (DER).")
@click.pass_obj
def crl(sources: Sources, out: Path) -> None:
    """Write the revocation list of the issuing authority."""
    out.write_bytes(_with_directory(sources, lambda it: it.revocation_list()))
    click.echo(f"Written to {out}.")


@directory.command()
@click.argument("code")
@click.option("--address", required=True, help="Where components reach it: amqps://host:port/vhost.")
@click.option("--hosts", required=True, help="Names and addresses in its server certificate, parted by commas.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for its keys and certificates.",
)
@BY
@click.pass_obj
def broker(sources: Sources, *, code: str, address: str, hosts: str, out: Path, by: str) -> None:
    """Make the broker CODE known, with a server certificate and key in a folder; again: bring both up to date.

    The folder then holds server.pem and server.key for its listener, and authority.pem: whom it lets in.
    """

    async def work(it: "Directory") -> None:
        from hub.directory_service.founding import Founder  # noqa: PLC0415

        founder = Founder(it, "", sources.load(DirectorySettings).directory.organization, by)
        await founder.enrol_broker(out, _code(code), hosts=[host.strip() for host in hosts.split(",")])
        await founder.tell_broker(_code(code), address)

    _with_directory(sources, work)
    click.echo(f"{code} listens at {address}; its server.pem, server.key and authority.pem are in {out}.")


@directory.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write (JSON).")
@click.pass_obj
def endpoints(sources: Sources, out: Path) -> None:
    """Write every endpoint for `tps broker provision --components`; only you can read the file, it names the queues."""
    from hub.mades import credentials  # noqa: PLC0415

    listed = _with_directory(sources, lambda it: it.registered())
    credentials.write(out, msgspec.json.encode(listed))
    click.echo(f"{len(listed)} endpoints written to {out}.")


def _with_directory(sources: Sources, work: Callable[["Directory"], Awaitable[T]], *, admits: bool = False) -> T:
    """Do something with the directory's log, whether it is running or not. Ends with 1 when it is refused.

    What `admits` somebody or puts somebody out counts at the broker before this ends.
    """
    from hub import logs  # noqa: PLC0415
    from hub.directory_service import process  # noqa: PLC0415

    settings = sources.load(DirectorySettings)
    logs.configure("warning", settings.log.format)

    async def run() -> T:
        async with process.opened(settings, cause=f"cli/{operator()}") as opened:
            done = await work(opened)
            if admits:
                await _fit_broker(opened, settings)
            return done

    try:
        return asyncio.run(run())
    except Rejected as error:
        raise click.ClickException(error.text) from None


async def _fit_broker(it: "Directory", settings: DirectorySettings) -> None:
    from hub.directory_service.gate import Gate  # noqa: PLC0415
    from hub.errors import Unavailable  # noqa: PLC0415
    from hub.ports import Refused  # noqa: PLC0415

    try:
        await Gate(it, settings.management).fit()
    except (Unavailable, Refused) as error:
        raise click.ClickException(
            f"It is decided, but the broker does not know it yet: {error} Repeat the command, or leave it to the "
            "running directory, which tells the broker as soon as it can."
        ) from error


async def _pending(it: "Directory", named: str) -> str:
    """The id of a registration, which may be named by the code that waits."""
    waiting = {each.code: each.registration for each in await it.applications() if each.status is Status.PENDING}
    return named if named in waiting.values() else waiting.get(_code(named), named)


async def _check_admitted(
    it: "Directory", waiting: str, named: Party | None, listed: Path | None, sources: Sources
) -> None:
    """Refuse who is no participant of the hub. What else speaks against a registration is left to the directory."""
    from hub.directory_service import participants  # noqa: PLC0415

    application = await it.application(waiting)
    party = (application.party or named) if application else None
    if application is None or party not in participants.TAKE_PART:
        return
    hub = sources.load(DirectorySettings).directory.hub_settings
    if listed:
        found = participants.in_list(listed, application.code)
    elif hub:
        found = await participants.at_the_hub(hub, application.code)
    else:
        raise click.UsageError(
            "Nothing here says who takes part (R1). Name the hub's settings file in `directory.hub_settings`, or give "
            "--participants with what `tps participants list --json` prints at the hub."
        )
    participants.check_admitted(application.code, party, found)


def _code(text: str) -> str:
    """A component's code as people write it. Ends with 2 when it is none."""
    try:
        return identifiers.parse_identifier(text)
    except IdentifierError as error:
        raise click.UsageError(str(error)) from error


def _party(text: str | None) -> Party | None:
    return Party(text.upper()) if text else None


def _tell(found: object, lines: Iterator[str], *, as_json: bool) -> None:
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(lines))


def _without_requests(application: Application) -> Application:
    return msgspec.structs.replace(application, requests=())


def _invitation_line(invitation: Invitation) -> str:
    state = "withdrawn" if invitation.withdrawn else "used" if invitation.used else "open"
    return (
        f"{invitation.fingerprint[:16]}  {invitation.expires:%Y-%m-%d}  {state:9}  "
        f"{invitation.code}  {invitation.party or '-'}"
    )


def _ends(entry: BoardEntry) -> str:
    """When the component is without a certificate of some type, as a date."""
    trusted = [held for held in entry.certificates if held.revoked is None]
    ends = [max((held.valid_to for held in trusted if held.type is kind), default=None) for kind in CertificateType]
    known = [end for end in ends if end]
    return f"{min(known):%Y-%m-%d}" if len(known) == len(ends) else "no certificate"


def _entry_lines(entry: BoardEntry) -> Iterator[str]:
    said = entry.configuration
    yield f"{entry.code}  {entry.party}  {entry.status}"
    yield f"  {entry.contact.organization}, {entry.contact.person}, {entry.contact.email}, {entry.contact.phone}"
    yield f"  decided by {entry.by}: {entry.why}"
    for url in said.urls if said else ():
        yield f"  {url.address} ({url.network})"
    for path in said.paths if said else ():
        yield f"  path {path.message_type} from {', '.join(path.senders) or 'anybody'} over {path.broker}"
    for held in entry.certificates:
        ending = f"revoked {held.revoked:%Y-%m-%d}: {held.why}" if held.revoked else f"until {held.valid_to:%Y-%m-%d}"
        yield f"  {held.type:14}  {held.certificate_id}  {ending}"
