"""`tps mades`: a component's own certificates: register, renew, look (MADES 4.5.1); and its message box."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from documents import identifiers
from documents.errors import IdentifierError
from hub.directory.values import Contact, Status
from hub.errors import Rejected
from hub.verbs import message_box

if TYPE_CHECKING:
    from hub.directory.calls import RegistrationAnswer

POLL_S: Final = 2.0
FOLDER: Final = click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=".tps-mades",
    help="Folder of the component's keys and certificates.",
)


@click.group()
def mades() -> None:
    """Register a component, look after its certificates, and use its message box."""


for command in message_box.COMMANDS:
    mades.add_command(command)


@mades.command()
@FOLDER
@click.option("--directory", "url", required=True, metavar="URL", help="Where the component directory is reached.")
@click.option(
    "--ca",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The root certificate of the platform (PEM), from its operator.",
)
@click.option("--token", required=True, help="The one-time token, from the operator.")
@click.option("--code", required=True, help="The component's code: the participant's EIC or GLN.")
@click.option("--organization", required=True, help="Who operates the component.")
@click.option("--person", default="", help="Whom to ask for.")
@click.option("--email", default="", help="Where to write to.")
@click.option("--phone", default="", help="Where to call.")
@click.option("--wait", "wait_s", type=click.IntRange(0, 86_400), default=0, help="Seconds to wait for the approval.")
def register(*, folder: Path, url: str, ca: Path, token: str, code: str, wait_s: int, **contact: str) -> None:
    """Make keys, ask for certificates, and keep them once the operator has approved; run it again to ask again.

    Keys are made in the folder and never leave it. Exit codes: 0 the certificates are there, 1 not (yet).
    """
    from hub.mades import enrolment, pki  # noqa: PLC0415 - `--help` need not load a web client

    if (folder / enrolment.COMPONENT).exists():
        click.echo(f"{folder} holds the certificates of {enrolment.component_in(folder).code} already.")
        return
    ask = partial(
        enrolment.register,
        folder,
        url,
        token=token,
        code=_code(code),
        contact=Contact(**contact),
        root_pem=ca.read_text("ascii"),
    )
    try:
        answer = asyncio.run(_decided(ask, wait_s))
    except Rejected as error:
        raise click.ClickException(error.text) from None
    except pki.CertificateRefused as error:
        raise click.ClickException(str(error)) from None
    if answer.status is Status.REJECTED:
        raise click.ClickException(f"The registration was rejected: {answer.why}")
    if answer.status is Status.PENDING:
        raise click.ClickException("The registration waits for the operator. Run the same command again later.")
    click.echo(f"Approved: keys and certificates of {answer.code} are in {folder}.")


@mades.command()
@FOLDER
@click.option("--days", type=click.IntRange(1, 365), default=30, help="Renew when less than this many days are left.")
def renew(folder: Path, days: int) -> None:
    """Ask for new certificates when the present ones end soon; the old ones are used until their end."""
    from datetime import timedelta  # noqa: PLC0415

    from hub.clock import SystemClock  # noqa: PLC0415
    from hub.mades import enrolment, pki  # noqa: PLC0415

    try:
        url = enrolment.component_in(folder).directory_url
        changed = asyncio.run(enrolment.renew(folder, url, at=SystemClock().now(), before=timedelta(days=days)))
    except Rejected as error:
        raise click.ClickException(error.text) from None
    except (OSError, pki.CertificateRefused) as error:
        raise click.ClickException(f"{error}") from None
    click.echo("Renewed." if changed else f"Nothing to do: more than {days} days are left.")


@mades.command()
@FOLDER
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def show(folder: Path, *, as_json: bool) -> None:
    """List the certificates in the folder with their ends."""
    from hub.mades import credentials, pki  # noqa: PLC0415
    from hub.mades.certificates import CertificateType  # noqa: PLC0415

    try:
        held = credentials.load(folder)
    except pki.CertificateRefused as error:
        raise click.ClickException(str(error)) from None
    pairs = [(kind, pair.certificate) for kind in CertificateType for pair in held.of_type(kind)]
    listed = [
        {"type": kind, "certificateId": pki.certificate_id(each), "validTo": each.not_valid_after_utc}
        for kind, each in pairs
    ]
    if as_json:
        click.echo(msgspec.json.encode({"code": held.code, "certificates": listed}).decode())
        return
    click.echo(held.code)
    for each in listed:
        click.echo(f"  {each['type']:14}  {each['certificateId']}  until {each['validTo']:%Y-%m-%d}")


async def _decided(ask: Callable[..., Awaitable["RegistrationAnswer"]], wait_s: int) -> "RegistrationAnswer":
    """Register, and look again until it is decided or the wait is over."""
    from hub.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    until_s = clock.monotonic() + wait_s
    while True:
        answer = await ask(at=clock.now())
        if answer.status is not Status.PENDING or clock.monotonic() >= until_s:
            return answer
        await clock.sleep(POLL_S)


def _code(text: str) -> str:
    """The code as people write it. Ends with 2 when it is none."""
    try:
        return identifiers.parse_identifier(text)
    except IdentifierError as error:
        raise click.UsageError(str(error)) from error
