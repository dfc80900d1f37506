"""`tps events`: the log for an auditor. Each command has a module of its own."""

import click

from hub.verbs.exporting import export, list_, show
from hub.verbs.history import replay, trail
from hub.verbs.proofs import prove
from hub.verbs.verification import verify


@click.group()
def events() -> None:
    """Check the log, and ask it what happened."""


for command in (verify, prove, replay, trail, export, list_, show):
    events.add_command(command)
