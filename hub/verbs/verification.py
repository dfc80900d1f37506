"""`tps events verify`: whether the log is what was written."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from hub.audit.checkpoints import log_name
from hub.audit.merkle import Tree
from hub.audit.verification import Fault
from hub.settings import HubSettings, Sources
from hub.verbs.progress import progress
from hub.verbs.texts import POSITION

if TYPE_CHECKING:
    from hub.app.auditing import Audit, Stand

ROOT: Final = "root.pem"
SAVE_EVERY: Final = 100
"""Pages between two notes of how far it is."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the command prints: how many records there are, were found good, and are under a signed checkpoint."""

    records: int = 0
    verified: int = 0
    covered: int = 0
    fault: Fault | None = None

    def __str__(self) -> str:
        if self.fault:
            where = f"Position {self.fault.position}: " if self.fault.position is not None else ""
            return f"{where}{self.fault.text} Keep everything as it is, and compare with a backup."
        covered = f"the first {self.covered}" if self.covered else "none"
        return f"The log is what was written: {self.records} records, {covered} under a signed checkpoint."


@click.command()
@click.option("--from", "start", type=POSITION, help="Begin at the checkpoint before this position.")
@click.option(
    "--resume",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Note in this file how far it is, and go on from there the next time.",
)
@click.option("--root", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The root to trust (PEM).")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.pass_obj
def verify(sources: Sources, *, start: int | None, resume: Path | None, root: Path | None, as_json: bool) -> None:
    """Check that the log is what was written: chain, tree, signed checkpoints, and every document.

    It names the first bad position and what is wrong there. The root to trust is the one in `mades.dir`, unless --root
    names another.

    Exit codes: 0 all is well, 1 something was changed, 2 wrong usage or settings.
    """
    from hub import app, logs  # noqa: PLC0415 - `--help` need not load a database's client
    from hub.app.auditing import Audit, Bad, before, signed_by  # noqa: PLC0415

    if start and resume:
        raise click.UsageError("--from and --resume are two ways to begin. Give one of them.")
    settings = sources.load(HubSettings)
    logs.configure("warning", settings.log.format)
    hub = app.hub_id(settings.hub)
    kept = _kept(resume, log_name(hub))

    async def run() -> Report:
        async with app.reading(settings) as store:
            signature = signed_by(hub, root or settings.mades.dir / ROOT)
            if start and start > (head := await store.log.head()):
                raise click.UsageError(f"The log ends at position {head}. Begin at one that it has.")
            stand = await before(store, start, log=log_name(hub), signature=signature) if start else kept
            audit = Audit(store, stand, salts=app.salts_of(settings.hub), signature=signature)
            return await _audited(audit, resume, also_unnamed=not (start or stand.complete))

    try:
        report = asyncio.run(run())
    except Bad as bad:
        report = Report(fault=bad.fault)
    click.echo(msgspec.json.encode(report).decode() if as_json else report)
    raise click.exceptions.Exit(1 if report.fault else 0)


async def _audited(audit: "Audit", resume: Path | None, *, also_unnamed: bool) -> Report:
    """Look at all there is, and note in the file how far it is."""
    from hub.app.auditing import Bad  # noqa: PLC0415

    _keep(resume, audit.stand)  # what cannot be written is told before the work, not after it
    extent, fault, pages = await audit.extent(), None, 0
    try:
        with progress("Records", extent.records, done=audit.stand.position) as reached:
            async for position in audit.pages(extent):
                reached(position)
                pages += 1
                if pages % SAVE_EVERY == 0:
                    _keep(resume, audit.stand)
        if also_unnamed:
            with progress("Documents") as reached:
                async for looked_at in audit.unnamed():
                    reached(looked_at)
    except Bad as bad:
        fault = bad.fault
    finally:
        _keep(resume, audit.stand)
    return Report(records=extent.records, verified=audit.stand.position, covered=extent.covered, fault=fault)


def _kept(file: Path | None, log: str) -> "Stand":
    """How far an earlier run came. Raises UsageError: the file is not of this log."""
    from hub.app.auditing import Stand  # noqa: PLC0415

    if file is None or not file.exists():
        return Stand(log=log)
    try:
        stand = msgspec.json.decode(file.read_bytes(), type=Stand)
        Tree.from_bytes(stand.position, stand.peaks)
    except ValueError as error:
        raise click.UsageError(f"{file}: found {error}; expected what an earlier run has noted.") from error
    if stand.log != log:
        raise click.UsageError(f"{file} is about {stand.log}, expected {log}.")
    return stand


def _keep(file: Path | None, stand: "Stand") -> None:
    """Raises UsageError: the file cannot be written."""
    if file is None:
        return
    unfinished = file.with_name(file.name + ".unfinished")
    try:
        unfinished.write_bytes(msgspec.json.encode(stand))
        unfinished.replace(file)
    except OSError as error:
        raise click.UsageError(f"{file} cannot be written: {error.strerror or error}.") from error
