"""The walk of the manual from nothing to a platform works: every command of it, in its order, on one machine.

Only what belongs to a place is replaced: host names, ports, the addresses of the databases.
"""

import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from gateways.demo.rabbitmq_node import RabbitNode, find_server, free_ports
from hub.directory_service.founding import ServerFiles
from hub.errors import Unavailable
from hub.store.embedded import EmbeddedPostgres
from tests.docs.walking import Shell
from tests.fixtures_broker import unavailable
from tests.programs import need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HOST = "127.0.0.1"
BEGIN, END = "## From nothing to a platform on several machines", "## Component Directory"
PORTS = ("8443", "8440", "8080", "8081", "8082", "5671")


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of every block of the walk."""
    walk = page.partition(BEGIN)[2].partition(END)[0]
    return re.findall(r"```(sql|sh)\n(.*?)```", walk, re.DOTALL)


@asynccontextmanager
async def shell(folder: Path, postgres: EmbeddedPostgres, node: RabbitNode) -> AsyncIterator[Shell]:
    """A shell for which everything is on this machine."""
    *others, broker = PORTS
    ports = dict(zip(others, map(str, free_ports(len(others))), strict=True)) | {broker: str(node.port)}
    where = postgres.url("postgres").partition("?")[2]

    def localised(block: str) -> str:
        block = re.sub(r"postgresql://(\w+):\w+@db.example/(\w+)", rf"postgresql://\1@/\2?{where}", block)
        block = re.sub(r"\b(directory|broker)\.example\b", HOST, block)
        return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: ports[found[1]], block)

    (folder / "provisioner.password").write_text(node.password)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TPS_BROKER_MANAGEMENT": f"http://provisioner@{HOST}:{node.management_port}",
    }
    it = Shell(folder, localised, environment)
    try:
        yield it
    finally:
        it.end()


async def execute(postgres: EmbeddedPostgres, statements: str) -> None:
    """Run statements as the administrator of the server."""
    connection = await asyncpg.connect(postgres.url("postgres"))
    for statement in filter(None, map(str.strip, statements.split(";"))):
        with suppress(asyncpg.DuplicateObjectError):  # an embedded server has its role of readers already
            await connection.execute(statement)
    await connection.close()


async def test_the_walk_leads_from_nothing_to_a_first_limit_and_beyond(tmp_path: Path, root: Path) -> None:
    need("curl")
    try:
        server = find_server()
    except Unavailable as error:
        unavailable(str(error))
    own = tmp_path / "tps" / "members" / "broker"
    node = RabbitNode(
        tmp_path / "rabbitmq",
        ServerFiles(own / "server.pem", own / "server.key", own / "authority.pem"),
        server=server,
    )
    printed: list[tuple[str, str]] = []

    async with EmbeddedPostgres(tmp_path / "postgres", durable=False) as postgres:
        try:
            async with shell(tmp_path, postgres, node) as it:
                for language, block in blocks((root / "docs" / "operating.md").read_text("utf-8")):
                    if language == "sql":
                        await execute(postgres, block)
                        continue
                    if "provision" in block and not printed_by(printed, "provision"):
                        await node.start()
                    printed.append((block, await it.run(block)))
        finally:
            await node.stop()

    limits = json.loads(next(text for block, text in printed if "/limits/foreseen" in block).splitlines()[-1])
    ((share,),) = [limit["shares"] for limit in limits["items"]]
    assert share["asset"] == "571313100000000010"
    assert [point["quantity"] for period in share["periods"] for point in period["points"]] == [300_000]
    assert next(text for block, text in printed if "doctor" in block).count("All is well.") == 2
    assert "Now revoked." in next(text for block, text in printed if "directory revoke" in block)


def printed_by(printed: list[tuple[str, str]], word: str) -> bool:
    """Whether a block with this word was run already."""
    return any(word in block for block, _ in printed)
