"""`tps documents`: what a document is, whether its content model holds, and whether the hub would take it (F1)."""

import re
from collections.abc import Iterable
from typing import Final, Literal

import click
import msgspec
from msgspec import Struct

from documents import registry, xml
from documents.errors import DocumentError, Malformed, SchemaInvalid, UnknownDocument
from documents.identifiers import code_of
from documents.model import AcknowledgementMarketDocument, Document, Party, StatusRequestMarketDocument
from documents.versions import Version
from hub import intake

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


Word = Literal["valid", "not valid", "not well-formed", "unknown document"]


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be said about one file; of an invalid document only what could be found out."""

    file: str
    verdict: Word
    valid: bool
    document: str = ""
    version: str = ""
    type: str = ""
    process: str = ""
    mrid: str = ""
    revision: int | None = None
    sender: str = ""
    receiver: str = ""
    series: int | None = None
    found: str = ""
    where: str = ""
    mend: str = ""
    hub_takes: bool
    hub_takes_as: str = ""
    hub_reasons: tuple[str, ...] = ()


@click.group()
def documents() -> None:
    """Check IEC 62325 documents."""


@documents.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file and line, without a summary.")
@click.option("--as", "receiver", type=click.Choice(["hub"]), help="Exit by whether the hub would take every file.")
def check(files: tuple[str, ...], *, as_json: bool, receiver: str | None) -> None:
    """Check each FILE against the content model of its version; `-` is the standard input.

    Exit codes: 0 all are valid, 1 at least one is not. With `--as hub`: whether the hub would take them all.
    """
    verdicts = []
    for name in files:
        verdicts.append(verdict := judge(name, _content(name)))
        click.echo(msgspec.json.encode(verdict) if as_json else "\n".join(_lines(verdict)))
    if not as_json:
        click.echo(_summary(verdicts))
    fine = all(verdict.hub_takes if receiver else verdict.valid for verdict in verdicts)
    raise click.exceptions.Exit(0 if fine else 1)


def judge(file: str, data: bytes) -> Verdict:
    """Say what `data` is, whether it is valid, and what the hub would do with it."""
    hub = intake.judge(data)
    reasons = tuple(" ".join(filter(None, (reason.code, reason.text))) for reason in hub.reasons)
    try:
        document = registry.read(data)
    except Malformed as error:
        return _refused(file, "not well-formed", error, reasons)
    except UnknownDocument as error:
        return _refused(file, "unknown document", error, reasons)
    except SchemaInvalid as error:
        return _refused(file, "not valid", error, reasons, registry.identify(data))
    version = registry.identify(data)
    return Verdict(
        file=file,
        verdict="valid",
        valid=True,
        document=version.root,
        version=version.number,
        type=getattr(document, "type", ""),
        process=getattr(document, "process", ""),
        mrid=document.mrid,
        revision=getattr(document, "revision", None),
        sender=_party(document.sender),
        receiver=_party(document.receiver),
        series=_series_count(document),
        hub_takes=hub.taken,
        hub_takes_as=hub.as_,
        hub_reasons=reasons,
    )


def _content(name: str) -> bytes:
    """Read one byte more than is taken, so that a file without end is refused and not read.

    Raises:
        click.UsageError: the file cannot be read.
    """
    try:
        with click.open_file(name, "rb") as file:
            content: bytes = file.read(xml.MAX_BYTES + 1)
            return content
    except OSError as error:
        raise click.UsageError(f"{name} cannot be read: {error.strerror or error}.") from error


def _refused(
    file: str, verdict: Word, error: DocumentError, reasons: tuple[str, ...], version: Version | None = None
) -> Verdict:
    return Verdict(
        file=file,
        verdict=verdict,
        valid=False,
        document=version.root if version else "",
        version=version.number if version else "",
        found=error.found,
        where=error.where,
        mend=error.mend,
        hub_takes=False,
        hub_reasons=reasons,
    )


def _party(party: Party) -> str:
    return f"{code_of(party.id)} ({party.role})" if party.role else code_of(party.id)


def _series_count(document: Document) -> int | None:
    if isinstance(document, AcknowledgementMarketDocument):
        return len(document.rejected)
    if isinstance(document, StatusRequestMarketDocument):
        return None
    return len(getattr(document, "series", ()))


def _lines(verdict: Verdict) -> Iterable[str]:
    """Say a verdict to a person. Control characters of a document do not reach the terminal."""
    lines = [f"{verdict.file}: {verdict.verdict}"]
    if verdict.document:
        lines.append(f"  {verdict.document} {verdict.version}{_kind(verdict)}")
    if verdict.valid:
        lines.append(f"  {verdict.sender} -> {verdict.receiver}{_count(verdict)}")
    if verdict.found:
        lines.append(f"  found: {verdict.found}")
        lines.append(f"  where: {verdict.where or 'the document as a whole'}")
        lines.append(f"  mend:  {verdict.mend}")
    lines.append(f"  hub:   {_hub(verdict)}")
    lines.extend(f"         {reason}" for reason in verdict.hub_reasons if verdict.valid)
    return (_CONTROL.sub(" ", line) for line in lines)


def _kind(verdict: Verdict) -> str:
    parts = [
        f"type {verdict.type}" if verdict.type else "",
        f"process {verdict.process}" if verdict.process else "",
        f"mRID {verdict.mrid}" if verdict.mrid else "",
        f"revision {verdict.revision}" if verdict.revision else "",
    ]
    return "".join(f", {part}" for part in parts if part)


def _count(verdict: Verdict) -> str:
    return "" if verdict.series is None else f", {verdict.series} series"


def _hub(verdict: Verdict) -> str:
    if not verdict.hub_takes:
        return "would refuse it"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", verdict.hub_takes_as).lower()
    return f"would take it as: {words}" + (", but not every series" if verdict.hub_reasons else "")


def _summary(verdicts: list[Verdict]) -> str:
    count, valid = len(verdicts), sum(verdict.valid for verdict in verdicts)
    taken = sum(verdict.hub_takes for verdict in verdicts)
    noun = "document" if count == 1 else "documents"
    return f"{count} {noun}: {valid} valid, {count - valid} not valid; the hub would take {taken}."
