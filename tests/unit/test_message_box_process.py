"""A message box on real ground: its endpoint as a process of its own, every operation as a command."""

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from documents import identifiers
from hub.cli import tps
from hub.clock import SystemClock
from hub.directory.values import Party as Member
from hub.mades.box.interface import ReceivedMessage, SentMessage
from hub.mades.box.queue_messages import BusinessQueue
from hub.mades.box.rows import INBOX
from hub.mades.box.running import MessageBox
from hub.mades.management import managing
from hub.mades.membership import Membership
from hub.mades.paths import Party
from hub.mades.provision import provision
from hub.mades.topology import Registered
from hub.ports import Batch, MessageState, NewEvent, Transport
from hub.store.memory import MemoryStore
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from tests.fixtures_store import DatabaseUrl
from tests.founded import Founded, founded
from tests.mades_brokers import COMPONENTS, RabbitTls
from tests.system import HUB

NORTH = "5790000000005"
HUB_CODE, NORTH_CODE = identifiers.party(HUB), identifiers.party(NORTH)
PATIENCE_S = 40

pytestmark = pytest.mark.slow


def environment(directory: Path, url: str = "embedded") -> dict[str, str]:
    """Settings of the box of north; `directory` also holds its keys."""
    return {
        "TPS__PARTICIPANT__ID": NORTH,
        "TPS__PARTICIPANT__ROLE": "DSO",
        "TPS__GATEWAY__HUB_ID": HUB,
        "TPS__DATABASE__DIR": str(directory),
        "TPS__DATABASE__URL": url,
        "TPS__MADES__DIR": str(directory),
        "TPS__HTTP__PORT": "0",
    }


class Shell:
    """Commands of a component's operator, each a process of its own."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = {**os.environ, **variables}

    async def start(self, *arguments: str, stdin: bool = False) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hub",
            "mades",
            *arguments,
            env=self._variables,
            stdin=pipe if stdin else None,
            stdout=pipe,
            stderr=pipe,
        )

    async def run(self, *arguments: str, stdin: bytes | None = None) -> tuple[int, bytes]:
        """Exit code and standard output."""
        process = await self.start(*arguments, stdin=stdin is not None)
        out, _ = await process.communicate(stdin)
        assert process.returncode is not None
        return process.returncode, out

    async def json(self, *arguments: str) -> Any:  # JSON
        code, out = await self.run(*arguments, "--json")
        assert code == 0, out
        return json.loads(out)

    async def until(self, state: str, message_id: str) -> Any:  # JSON of a status
        """The status of a message once it has this state."""
        async with asyncio.timeout(PATIENCE_S):
            while (found := await self.json("status", message_id))["state"] != state:
                pass
        return found


@asynccontextmanager
async def hub_box(folder: Path) -> AsyncIterator[MessageBox]:
    """The box of the hub, in this process; `folder` holds its keys."""
    membership = Membership(folder, clock=SystemClock())
    async with membership.exchanging(Party.HUB, hub=HUB_CODE) as transport, running_box(membership, transport) as box:
        yield box


@asynccontextmanager
async def running_box(membership: Membership, transport: Transport) -> AsyncIterator[MessageBox]:
    box = MessageBox(
        HUB_CODE,
        party=Party.HUB,
        hub=HUB_CODE,
        store=MemoryStore(component=HUB_CODE),
        transport=transport,
        seals=membership.seals,
        clock=SystemClock(),
        most_waiting=100,
        party_of=lambda code: Party.DSO if code == NORTH_CODE else None,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(box.run(), name="hub.box")
        try:
            yield box
        finally:
            box.stop()


@asynccontextmanager
async def endpoint(shell: Shell) -> AsyncIterator[asyncio.subprocess.Process]:
    """`tps mades run`, killed at the end if it runs still."""
    process = await shell.start("run")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Founded]:
    """A directory and a broker with certificates, and both components enrolled."""
    async with founded(tmp_path, {HUB_CODE: Member.HUB, NORTH_CODE: Member.DSO}, hub=HUB_CODE) as platform:
        yield platform


async def state(box: MessageBox, message_id: str) -> MessageState:
    return (await box.operations.check_message_status(message_id)).state


async def received(box: MessageBox) -> ReceivedMessage:
    """What the hub has received, as soon as it has."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with box.bells.take(INBOX, box.code) as bell:
                if message := (await box.operations.receive_message()).received_message:
                    return message
                await bell.wait_at_most(PATIENCE_S, SystemClock())


async def test_every_operation_works_from_the_command_line_through_kills_of_the_endpoint(
    platform: Founded, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    shell = Shell(environment(platform.member(NORTH_CODE), await database_url()))
    async with hub_box(platform.member(HUB_CODE)) as hub:
        # Sent while no endpoint runs, with a repeat; it leaves as soon as one does.
        names = ("--conversation", "c-1", "--application", "planner")
        first = await shell.run("send", "TPS-POINTS", *names, stdin=b"<points/>\x00")
        again = await shell.run("send", "TPS-POINTS", *names, stdin=b"something else")
        assert (first[0], again) == (0, first)
        message_id = first[1].decode().strip()
        assert (await shell.json("status", message_id))["state"] == "ACCEPTED"

        async with endpoint(shell):
            arrived = await received(hub)
            assert (arrived.message_id, arrived.content) == (message_id, b"<points/>\x00")
            assert (arrived.sender_code, arrived.sender_application) == (NORTH_CODE, "planner")
            await shell.until("DELIVERED", message_id)
            tested = await shell.json("ping")
            assert [item["state"] for item in tested["trace"]] == ["ACCEPTED", "TRANSPORTED", "DELIVERED"]

        # The endpoint was killed. The hub confirms and sends; a new endpoint learns of both.
        await hub.operations.confirm_receive_message(message_id)
        answer = SentMessage(receiver_code=NORTH_CODE, business_type="TPS-SCHEDULES", content=b"<schedule/>")
        answer_id = await hub.operations.send_message(answer)
        assert await shell.run("receive") == (1, b"")
        async with endpoint(shell) as running:
            found = await shell.until("RECEIVED", message_id)
            assert {"DELIVERED", "RECEIVED"} <= {item["state"] for item in found["trace"]}
            async with asyncio.timeout(PATIENCE_S):
                while (await shell.run("receive", "--no-content"))[0] != 0:
                    pass

            # Received twice, confirmed once: the application may crash in between.
            assert await shell.run("receive", "--type", "TPS-SCHEDULES") == (0, b"<schedule/>")
            reception = await shell.json("receive")
            assert reception["remainingMessagesCount"] == 0
            assert reception["receivedMessage"] == {
                "messageID": answer_id,
                "receiverCode": NORTH_CODE,
                "senderCode": HUB_CODE,
                "businessType": "TPS-SCHEDULES",
                "content": base64.b64encode(b"<schedule/>").decode(),
            }
            target = tmp_path / "schedule.xml"
            assert (await shell.run("receive", "--out", str(target)))[0] == 0
            assert target.read_bytes() == b"<schedule/>"
            assert await state(hub, answer_id) is MessageState.DELIVERED
            assert await shell.json("confirm", answer_id) == {"messageID": answer_id}
            async with asyncio.timeout(PATIENCE_S):
                while await state(hub, answer_id) is not MessageState.RECEIVED:  # noqa: ASYNC110 # another process acts
                    await asyncio.sleep(0.05)
            assert await shell.run("receive") == (1, b"")

            running.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_S):
                assert await running.wait() == 0


async def test_a_box_is_not_run_on_the_log_of_a_gateway(database_url: DatabaseUrl, tmp_path: Path) -> None:
    url = await database_url()
    await migrate(url)
    async with await PostgresStore.open(url, component=NORTH_CODE) as store:
        event = NewEvent(stream="s", version=1, topic="DocumentSent.v1", state=b"{}", cause="test")
        await store.commit.commit(Batch(after=0, at=SystemClock().now(), events=(event,)))

    process = await Shell(environment(tmp_path, url)).start("confirm", "m1")
    _, errors = await process.communicate()

    assert process.returncode == 1
    assert b"database of its own" in errors


def invoke(directory: Path, arguments: Sequence[str]) -> tuple[int, str]:
    result = CliRunner(env=environment(directory)).invoke(tps, ["mades", *arguments])
    return result.exit_code, result.output


def test_faults_are_told_in_the_words_of_the_standard_and_end_with_1_or_2(tmp_path: Path) -> None:
    file = tmp_path / "points.xml"
    file.write_bytes(b"<points/>")

    unknown = invoke(tmp_path, ["status", "nothing", "--json"])
    no_path = invoke(tmp_path, ["send", "TPS-ASSETS", str(file)])
    invalid = invoke(tmp_path, ["send", "no.type", str(file)])
    no_receiver = invoke(tmp_path, ["send", "TPS-POINTS", str(file), "--to", "45X-TPS-HUB-DEM9"])
    no_file = invoke(tmp_path, ["send", "TPS-POINTS", str(tmp_path / "none")])
    sent = invoke(tmp_path, ["send", "TPS-POINTS", str(file), "--json"])

    assert [code for code, _ in (unknown, no_path, invalid, no_receiver, no_file, sent)] == [1, 1, 2, 2, 2, 0]
    fault = json.loads(unknown[1].splitlines()[-1])
    assert (fault["errorCode"], fault["messageID"]) == ("E-NOT-FOUND", "nothing")
    assert len(fault["errorID"]) == 36
    assert "E-NO-PATH" in no_path[1]
    assert set(json.loads(sent[1].splitlines()[-1])) == {"messageID"}


async def test_the_queues_of_its_settings_stand_while_a_box_runs(
    platform: Founded, database_url: DatabaseUrl, rabbit: RabbitTls
) -> None:
    url, (certificate, key) = rabbit.url.rpartition("/")[0], rabbit.certificates.client_files(NORTH_CODE)
    user = Registered(code=NORTH_CODE, party=Party.DSO, suffix="f" * 16)
    shell = Shell(
        environment(platform.member(NORTH_CODE), await database_url())
        | {
            "TPS__QUEUES__URL": f"{url}/business",
            "TPS__QUEUES__PREFIX": "north.",
            "TPS__QUEUES__CA_FILE": str(rabbit.certificates.authority),
            "TPS__QUEUES__CERT_FILE": str(certificate),
            "TPS__QUEUES__KEY_FILE": str(key),
        }
    )
    async with managing(rabbit.management_url) as operator:
        await provision(operator, [*COMPONENTS, user])
        await operator.delete("vhosts", "business")
        await operator.put("vhosts", "business")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        await operator.put("permissions", "business", NORTH_CODE, body=everything)
        async with endpoint(shell), asyncio.timeout(PATIENCE_S):
            while len(queues := await operator.get("queues", "business")) < len(BusinessQueue):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.2)

    assert {queue["name"] for queue in queues} == {f"north.{queue}" for queue in BusinessQueue}
    assert all(queue["durable"] for queue in queues)
