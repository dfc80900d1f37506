"""Everything an operator changes is an event with who and why: who types unless somebody is named, and a reason."""

from collections.abc import Iterator
from getpass import getuser

import click
import msgspec
import pytest

from hub.cli import tps
from hub.store.postgres import PostgresStore
from tests.fixtures_store import Cluster
from tests.operated import ALPHA, HUB_CODE, run

CHANGES = {
    "assets reassign",
    "broker revoke",
    "directory approve",
    "directory reapprove",
    "directory reject",
    "directory revoke",
    "directory tokens withdraw",
    "messages retry",
    "participants resume",
    "participants suspend",
    "payloads erase",
    "points reassign",
    "store restore",
    "tokens revoke",
}
"""Commands that change what others rely on, and therefore need a reason."""
BEGINNINGS = {"directory tokens issue", "init", "participants add", "tokens issue"}
"""Commands that may be given one."""
UNLESS_ONLY_CHECKED = {"projections rebuild"}
"""Commands that need one when they change something, and say so themselves."""


def commands(group: click.Group, context: click.Context, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, context, f"{path}{name} ")


def option(command: click.Command, name: str) -> click.Parameter | None:
    return next((each for each in command.params if each.name == name), None)


def test_every_change_of_the_operator_is_asked_for_a_reason_and_lets_name_who_decides() -> None:
    every = dict(commands(tps, click.Context(tps)))

    reasons = {path: found for path, command in every.items() if (found := option(command, "why"))}
    assert {path for path, found in reasons.items() if found.required} == CHANGES
    assert {path for path, found in reasons.items() if not found.required} == BEGINNINGS | UNLESS_ONLY_CHECKED
    assert [path for path in reasons if option(every[path], "by") is None] == []


@pytest.mark.parametrize(("named", "kept"), [((), getuser()), (("--by", "ada"), "ada")])
async def test_who_and_why_of_every_change_of_a_participant_are_in_the_log(
    cluster: Cluster, named: tuple[str, ...], kept: str
) -> None:
    async with cluster.lent() as url:
        await run(url, "participants", "add", ALPHA, "AGR", "--why", "contract 12", *named)
        await run(url, "participants", "suspend", ALPHA, "--why", "late", *named)
        await run(url, "participants", "resume", ALPHA, "--why", "paid", *named)
        async with await PostgresStore.open(url, component=HUB_CODE) as store:
            events = [msgspec.msgpack.decode(event.state) async for event in store.log.read()]

    assert [(event["type"], event["why"], event["by"]) for event in events] == [
        ("ParticipantAdded.v2", "contract 12", kept),
        ("ParticipantSuspended.v1", "late", kept),
        ("ParticipantResumed.v1", "paid", kept),
    ]
