"""`make test-containers`: the platform of compose.yaml on a container engine of its own, from the build to the end.

Needs root and Debian's packages. Nothing of this machine is touched but the cache folder: the engine, its network and
its mounts are in namespaces that end with it. Prints a table; ends with 0 when everything is as it must be.
"""

import subprocess
import sys
import time
from pathlib import Path

import click

from tests.containers.engine import ROOT, build, engine


@click.command()
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / ".cache" / "containers",
    help="Where root file systems and images are kept for the next time.",
)
@click.argument("stages", nargs=-1)
def containers(cache: Path, stages: tuple[str, ...]) -> None:
    """Build the image, run the platform, play the day, restart and kill parts of it under load, take it down.

    STAGES are those of tests/containers/trial.py; without any, all of them.
    """
    click.echo(f"Root file systems in {cache} ...")
    subprocess.run([ROOT / "docker" / "test" / "roots", cache], check=True)
    begun = time.monotonic()
    with engine(cache, "host") as building:
        click.echo("Building the images ...")
        build(building, cache)
    click.echo(f"Built in {time.monotonic() - begun:.0f} s.")
    with engine(cache, "private") as running:
        # In the engine's network, where the published ports are.
        inside = ["nsenter", f"--net=/proc/{running.pid}/ns/net", sys.executable, "-m", "tests.containers.trial"]
        sys.exit(subprocess.run([*inside, str(running.pid), *stages], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    containers()
