"""`tps mades run | send | receive | confirm | status | ping`: the five operations of MADES from the command line.

They work on the database of the message box; `tps mades run` carries what they store. Settings are those of a gateway.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import click
import msgspec

from documents import identifiers
from documents.errors import IdentifierError
from hub.errors import UnknownEvent
from hub.mades.box.interface import MadesFault, MessageStatus, Named, ReceivedMessage, Reception, SentMessage
from hub.ports import MessageState
from hub.settings import GatewaySettings, Sources

if TYPE_CHECKING:
    from hub.mades.box.operations import Operations

MAX_BYTES: Final = 16 * 1024 * 1024
"""One byte more is read, so that a file without end is refused and not read."""
POLL_S: Final = 0.2
PING_S: Final = 40.0
"""A test takes 30 s at most, and an endpoint notices it within one."""

T = TypeVar("T")
JSON: Final = click.option("--json", "as_json", is_flag=True, help="As JSON with the names of MADES, faults too.")
TO: Final = click.option("--to", default=None, metavar="CODE", help="The receiver; by default the hub.")


class Answer(Named, frozen=True, kw_only=True):
    """The answer of an operation that returns a messageID."""

    message_id: str


@click.command()
@click.pass_obj
def run(sources: Sources) -> None:
    """Run the endpoint of a message box, for a business application that has no REST.

    SIGINT and SIGTERM end it in good order.
    """
    from hub import logs  # noqa: PLC0415 - `--help` need not load a broker's client
    from hub.app import message_box  # noqa: PLC0415

    settings = sources.load(GatewaySettings)
    logs.configure(settings.log.level, settings.log.format)
    try:
        asyncio.run(message_box.serve(settings))
    except UnknownEvent as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.argument("business_type", metavar="TYPE")
@click.argument("file", default="-", type=click.Path(allow_dash=True, dir_okay=False))
@TO
@click.option("--ba-message-id", default="", metavar="ID", help="Your own id; the receiver sees it.")
@click.option("--application", default="", metavar="NAME", help="Your application; the receiver sees it.")
@click.option("--conversation", default="", metavar="ID", help="Sent once, however often you try.")
@JSON
@click.pass_obj
def send(
    sources: Sources,
    *,
    business_type: str,
    file: str,
    to: str | None,
    ba_message_id: str,
    application: str,
    conversation: str,
    as_json: bool,
) -> None:
    """Send FILE (`-`: the standard input) as a message of TYPE, and print its messageID.

    Exit codes: 0 it is stored and will leave, 1 refused, 2 used wrongly.
    """
    settings = sources.load(GatewaySettings)
    message = SentMessage(
        receiver_code=_receiver(to, settings),
        business_type=business_type,
        content=_content(file),
        sender_application=application,
        ba_message_id=ba_message_id,
    )
    message_id = _operate(
        settings, lambda box: box.send_message(message, conversation_id=conversation), as_json=as_json
    )
    _answer(message_id, as_json=as_json)


@click.command()
@click.option("--type", "business_type", default="*", metavar="TYPE", help="Only messages of this type; `*` is any.")
@click.option("--out", default="-", type=click.Path(allow_dash=True, dir_okay=False), help="File for the content.")
@click.option("--no-content", is_flag=True, help="Only tell about the message.")
@JSON
@click.pass_obj
def receive(sources: Sources, *, business_type: str, out: str, no_content: bool, as_json: bool) -> None:
    """Hand over the oldest message that waits; nothing changes until it is confirmed.

    The content goes to the standard output or a file, what is to be said about it to the standard error. With `--json`
    everything goes to the standard output as one object, the content (base64) unless a file is named.
    Exit codes: 0 a message, 1 none waits or refused, 2 used wrongly.
    """
    reception = _operate(
        sources.load(GatewaySettings),
        lambda box: box.receive_message(business_type, download_message=not no_content),
        as_json=as_json,
    )
    message = reception.received_message
    if message and message.content is not None and not (as_json and out == "-"):
        _write(out, message.content)
        message = msgspec.structs.replace(message, content=None)
    if as_json:
        shown = msgspec.structs.replace(reception, received_message=message)
        click.echo(msgspec.json.encode(shown))
    else:
        click.echo("\n".join(_about(message, reception)), err=True)
    raise click.exceptions.Exit(0 if message else 1)


@click.command()
@click.argument("message_id")
@JSON
@click.pass_obj
def confirm(sources: Sources, *, message_id: str, as_json: bool) -> None:
    """Say that MESSAGE_ID arrived: it is handed over no more, and its sender sees RECEIVED.

    Exit codes: 0 confirmed (now or before), 1 unknown or expired.
    """
    settings = sources.load(GatewaySettings)
    _answer(_operate(settings, lambda box: box.confirm_receive_message(message_id), as_json=as_json), as_json=as_json)


@click.command()
@click.argument("message_id")
@JSON
@click.pass_obj
def status(sources: Sources, *, message_id: str, as_json: bool) -> None:
    """Show where MESSAGE_ID is, hop by hop; it may be one sent, one received, or a connectivity test.

    Exit codes: 0 under way or arrived, 1 FAILED or unknown.
    """
    settings = sources.load(GatewaySettings)
    found = _operate(settings, lambda box: box.check_message_status(message_id), as_json=as_json)
    _show(found, as_json=as_json)
    raise click.exceptions.Exit(1 if found.state is MessageState.FAILED else 0)


@click.command()
@TO
@click.option("--type", "business_type", default="TPS-ACK", metavar="TYPE", help="The type whose path is tested.")
@JSON
@click.pass_obj
def ping(sources: Sources, *, to: str | None, business_type: str, as_json: bool) -> None:
    """Test the way to the hub and back with a tracing message that nobody is shown; the endpoint must run.

    Exit codes: 0 the receiver has answered, 1 it has not.
    """
    settings = sources.load(GatewaySettings)
    receiver = _receiver(to, settings)
    found = _operate(settings, lambda box: _tested(box, receiver, business_type), as_json=as_json)
    _show(found, as_json=as_json)
    if found.state is MessageState.ACCEPTED:
        click.echo("No endpoint took up the test. Is `tps mades run` running on this database?", err=True)
    raise click.exceptions.Exit(0 if found.state is MessageState.DELIVERED else 1)


COMMANDS: Final = (run, send, receive, confirm, status, ping)


async def _tested(box: "Operations", receiver: str, business_type: str) -> MessageStatus:
    """The status of a connectivity test once it has ended, or as it is when nobody takes it up."""
    from hub.clock import SystemClock  # noqa: PLC0415

    clock, message_id = SystemClock(), await box.connectivity_test(receiver, business_type)
    until_s = clock.monotonic() + PING_S
    while True:
        found = await box.check_message_status(message_id)
        if found.state is not MessageState.ACCEPTED or clock.monotonic() >= until_s:
            return found
        await clock.sleep(POLL_S)


def _operate(settings: GatewaySettings, work: Callable[["Operations"], Awaitable[T]], *, as_json: bool) -> T:
    """Do one operation. Ends with 2 for a value nobody could use, with 1 for any other fault."""
    from hub import logs  # noqa: PLC0415 - `--help` need not load a database's client
    from hub.app import message_box  # noqa: PLC0415

    logs.configure("warning", settings.log.format)

    async def operate() -> T:
        async with message_box.operating(settings) as box:
            return await work(box)

    try:
        return asyncio.run(operate())
    except MadesFault as error:
        _refuse(error, as_json=as_json)
    except UnknownEvent as error:
        raise click.ClickException(str(error)) from None


def _refuse(error: MadesFault, *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(msgspec.json.encode(error.fault))
    else:
        click.echo(f"Error: {error}", err=True)
    raise click.exceptions.Exit(2 if error.fault.error_code == "E-VALIDATION" else 1) from None


def _receiver(text: str | None, settings: GatewaySettings) -> str:
    """A component's code as people write it. Ends with 2 when it is none."""
    try:
        return identifiers.party(text or settings.gateway.hub_id, national=settings.gateway.national_scheme)
    except IdentifierError as error:
        raise click.UsageError(str(error)) from error


def _content(name: str) -> bytes:
    try:
        with click.open_file(name, "rb") as file:
            content: bytes = file.read(MAX_BYTES + 1)
            return content
    except OSError as error:
        raise click.UsageError(f"{name} cannot be read: {error.strerror or error}.") from error


def _write(name: str, content: bytes) -> None:
    try:
        with click.open_file(name, "wb") as file:
            file.write(content)
    except OSError as error:
        raise click.UsageError(f"{name} cannot be written: {error.strerror or error}.") from error


def _answer(message_id: str, *, as_json: bool) -> None:
    click.echo(msgspec.json.encode(Answer(message_id=message_id)) if as_json else message_id)


def _about(message: ReceivedMessage | None, reception: Reception) -> Iterable[str]:
    if message is None:
        yield "No message waits."
        return
    own = f", baMessageID {message.ba_message_id}" if message.ba_message_id else ""
    yield f"{message.message_id}  {message.business_type} from {message.sender_code}{own}"
    yield f"{reception.remaining_messages_count} more wait. When you have it: tps mades confirm {message.message_id}"


def _show(found: MessageStatus, *, as_json: bool) -> None:
    click.echo(msgspec.json.encode(found) if as_json else "\n".join(_story(found)))


def _story(found: MessageStatus) -> Iterable[str]:
    yield f"{found.message_id}  {found.state}  {found.business_type}  {found.sender_code} -> {found.receiver_code}"
    for item in found.trace:
        where = f"{item.component_description} {item.component}"
        yield f"  {item.timestamp:%Y-%m-%dT%H:%M:%S.%fZ}  {item.state:<11}  {where}  {item.details}".rstrip()
