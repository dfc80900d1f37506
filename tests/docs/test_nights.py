"""The five bad nights of the manual: its commands find what is wrong and mend it, and its tables say what is seen.

A night begins with the break that the page is about; then its blocks are typed in order, and what stands in the last
column of a table must have been printed since the table before, or stand in the log of a component.
"""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from hub.directory_service.authority import open_authority
from hub.mades import credentials, pki
from hub.mades.certificates import CertificateType
from tests.docs.platform_of_the_walk import NAMES, Night, platform
from tests.programs import need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
BEGIN, END = "## Five bad nights", "## The message box"
PATIENCE_S = 60.0
BROKER_STARTS = "systemctl start rabbitmq-server"
LATER: Final = {"tps_certificate_days", "tps_messages_refused_total", "document.forged"}
"""What a table names for the nights on which it is so."""


def parts(section: str) -> list[tuple[str, str]]:
    """Blocks to type (`sh`) and tables to find again (`table`), in order."""
    found = re.findall(r"```(sh)\n(.*?)```|((?:^\|[^\n]*\n)+)", section, re.DOTALL | re.MULTILINE)
    return [("sh", block) if kind else ("table", table) for kind, block, table in found]


def said(table: str) -> list[str]:
    """What stands in code in the last column."""
    cells = [line.rsplit("|", 2)[1] for line in table.splitlines()[2:]]
    return [text for cell in cells for text in re.findall(r"`([^`]+)`", cell) if text not in LATER]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that other processes do."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 # they have no way to tell us
            await asyncio.sleep(0.05)


async def put(night: Night, name: str, port: int, path: str, body: str, *, waits: bool = True) -> str:
    """A write of a participant."""
    prefer = "-H 'Prefer: wait=30'" if waits else ""
    return await night.shell.run(
        f'curl -sS -X PUT -H "Authorization: Bearer $(cat {name}/token)" {prefer} '
        f"http://127.0.0.1:{port}/{path} --json '{body}'"
    )


POINT: Final = '{"connectionPoints": [{"id": "571313199000000014", "voltageKv": "10"}]}'
ASSET: Final = (
    '{"assets": [{"id": "571313100000000010", "connectionPoint": "571313199000000014", '
    '"maxProduction": 0, "maxConsumption": 500000}]}'
)


async def broker_gone(night: Night) -> None:
    await night.broker.stop()
    assert '"pending"' in await put(night, "north", 8081, "connection-points", POINT, waits=False)
    await night.shell.run(
        "until tps --settings north/settings.toml messages list | grep E-BROKER-DOWN; do sleep 0.1; done"
    )


async def database_gone(night: Night) -> None:
    os.kill(night.hub_database.pid, signal.SIGQUIT)
    await until(lambda: "Start the hub again" in night.log("hub"))


async def view_damaged(night: Night) -> None:
    connection = await asyncpg.connect(night.new_url)  # where the night before has brought it
    await connection.execute("delete from tps.row_current where key = 'A01:45X-AGR-BRAVO--B'")
    await connection.close()


async def certificate_expired(night: Night) -> None:
    night.kill("alpha")
    issuing = open_authority(night.folder / "tps" / "directory").issuing
    held = credentials.load((night.folder / "alpha").resolve())
    long_ago = datetime.now(UTC) - timedelta(days=400)
    for kind in CertificateType:
        for pair in held.of_type(kind):
            expired = pki.issue(pair.key.public_key(), held.code, kind, authority=issuing, now=long_ago)
            Path(pair.certificate_file).write_bytes(pki.pem_of(expired))
    await night.shell.run("tps --settings alpha/settings.toml agr >> alpha.log 2>&1 || test $? = 2")


async def participant_misbehaves(night: Night) -> None:
    assert '"accepted"' in await put(night, "bravo", 8083, "assets", ASSET)
    assert "registered by another participant" in await put(night, "alpha", 8082, "assets", ASSET)


BREAKS: Final[dict[str, Callable[[Night], Awaitable[None]]]] = {
    "The broker is gone": broker_gone,
    "The database is gone": database_gone,
    "A view is damaged": view_damaged,
    "A certificate has expired": certificate_expired,
    "A participant misbehaves": participant_misbehaves,
}


async def walk(night: Night, section: str) -> None:
    """Type the blocks and find again what the tables say."""
    printed = ""
    for kind, text in parts(section):
        if kind == "table":
            everything = printed + "".join(night.log(name) for name in ("hub", *NAMES))
            assert [words for words in map(night.localised, said(text)) if words not in everything] == [], everything
            printed = ""
        elif text.strip() == BROKER_STARTS:
            await night.broker.start()
        else:
            printed += await night.shell.run(text)


async def test_the_commands_of_every_night_find_what_is_wrong_and_mend_it(tmp_path: Path, root: Path) -> None:
    need("curl")
    page = (root / "docs" / "operating.md").read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    before, *nights = re.split(r"^### ", page, flags=re.MULTILINE)
    assert [title for title, *_ in (each.split("\n", 1) for each in nights)] == list(BREAKS)

    async with platform(tmp_path) as night:
        await walk(night, before)
        for each in nights:
            title, section = each.split("\n", 1)
            await BREAKS[title](night)
            await walk(night, section)


def test_every_night_tells_what_is_seen_and_what_to_type(root: Path) -> None:
    page = (root / "docs" / "operating.md").read_text("utf-8").partition(BEGIN)[2].partition(END)[0]

    for each in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        kinds = [kind for kind, _ in parts(each)]
        assert kinds[:2] == ["sh", "table"], each
        assert kinds[-1] == "table"
        assert all(said(text) for kind, text in parts(each) if kind == "table")
