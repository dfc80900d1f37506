"""`tps init`: a whole platform in one folder."""

import asyncio
from pathlib import Path

import click
import msgspec

from hub.errors import Rejected
from hub.verbs.operating import AS_JSON, BY, operator
from hub.verbs.texts import Said


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--platform",
    "platform",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Who takes part (TOML); by default platform.toml in FOLDER, which is made on the first run.",
)
@click.option("--why", type=Said(), default="named in the platform file", help="The reason, kept in the logs.")
@BY
@AS_JSON
def init(folder: Path, platform: Path | None, *, why: str, by: str, as_json: bool) -> None:
    """Make a platform in FOLDER: authority, directory, broker, hub, and everybody in the platform file.

    Run it again after each change of the file: it adds what is new, and changes nothing else. Who is new is an event,
    with who admitted it and why. Prints what to do next.
    """
    from hub import logs  # noqa: PLC0415 - `--help` need not load a database's client
    from hub.directory_service import bootstrap  # noqa: PLC0415
    from hub.directory_service.plan import EXAMPLE, read  # noqa: PLC0415

    logs.configure("warning", "auto")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    chosen = platform or folder / "platform.toml"
    if platform is None and not chosen.exists():
        chosen.write_text(EXAMPLE, "utf-8")
    try:
        done = asyncio.run(bootstrap.found(folder, read(chosen), why=why, by=by, cause=f"init/{operator()}"))
    except Rejected as error:
        raise click.ClickException(error.text) from None
    if as_json:
        click.echo(msgspec.json.encode(done, enc_hook=str).decode())
        return
    for made in done.made or ("nothing, it is all there",):
        click.echo(f"made: {made}")
    click.echo("next:")
    for step in done.next:
        click.echo(f"  {step}")
