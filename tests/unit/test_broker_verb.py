"""`tps broker` where no broker is needed: its words, its files, its errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from getpass import getuser
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner

from hub import settings as chosen
from hub.cli import tps
from hub.clock import SystemClock
from hub.directory.events import ComponentThrownOut
from hub.directory.values import Party
from hub.directory_service import make_authority, process
from hub.errors import Unavailable
from hub.settings import DirectorySettings
from hub.store.postgres import PostgresStore
from hub.verbs.broker import broker
from tests.directory_world import ALPHA, CONTACT, DIRECTORY
from tests.fixtures_store import DatabaseUrl

GOOD = '{"code": "A01:HUB", "party": "HUB", "suffix": "0123456789abcdef"}'


def test_the_configuration_leaves_one_way_to_log_in_and_says_the_size() -> None:
    printed = CliRunner().invoke(broker, ["config"]).output

    settings = dict(line.split(" = ") for line in printed.splitlines() if line and not line.startswith("#"))
    assert settings["auth_mechanisms.1"] == "EXTERNAL"
    assert settings["listeners.tcp"] == "none"
    assert settings["ssl_options.fail_if_no_peer_cert"] == "true"
    assert settings["ssl_options.versions.1"] == "tlsv1.3"
    # The embedded broker takes as much (MAX_MESSAGE_BYTES).
    assert int(settings["max_message_size"]) == 16 * 1024**2 + 128 * 1024


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "Expected: a JSON list"),
        ("[]", "0 components are the HUB; expected exactly one"),
        (f"[{GOOD}, {GOOD}]", "A01:HUB is named more than once"),
        (f"[{GOOD.replace('0123', 'WXYZ')}]", "$[0].suffix"),
    ],
)
def test_a_list_that_cannot_be_used_ends_with_2_and_says_why(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "components.json"
    file.write_text(content)

    result = CliRunner().invoke(broker, ["provision", "--components", str(file)])

    assert result.exit_code == 2
    assert words in result.output


def test_a_list_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(broker, ["provision", "--components", str(tmp_path / "none.json")])

    assert (result.exit_code, "No such file" in result.output) == (2, True)


def test_a_broker_that_does_not_answer_is_unavailable() -> None:
    result = CliRunner().invoke(broker, ["--management", "http://me@127.0.0.1:9", "status"])

    assert isinstance(result.exception, Unavailable)
    assert str(result.exception).startswith(
        "No management interface answers at http://127.0.0.1:9: Cannot connect to host 127.0.0.1:9"
    )


class Management:
    """A management interface that knows two users; `out` are those who were deleted."""

    def __init__(self) -> None:
        self.out: list[str] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/api/users/{code}", self._user)
        app.router.add_delete("/api/users/{code}", self._delete)
        async with TestServer(app) as server:
            yield f"http://operator@{server.host}:{server.port}"

    async def _user(self, request: web.Request) -> web.Response:
        known = request.match_info["code"] not in self.out
        return web.json_response({"tags": []}) if known else web.json_response({}, status=404)

    async def _delete(self, request: web.Request) -> web.Response:
        self.out.append(request.match_info["code"])
        return web.Response(status=204)


@pytest.mark.slow
async def test_whoever_is_thrown_out_at_the_broker_is_in_the_log_of_the_directory_with_who_and_why(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    url, folder, management = await database_url(), tmp_path / "authority", Management()
    make_authority(folder, "Test", now=SystemClock().now())
    settings = DirectorySettings(
        directory=chosen.Directory(id=DIRECTORY.partition(":")[2], dir=folder),
        database=chosen.Database(url=chosen.Secret(url)),
    )
    async with process.opened(settings) as opened:
        await opened.enrol(tmp_path / "alpha", ALPHA, Party.AGR, CONTACT, by="test")
    environment = {
        "TPS__DIRECTORY__ID": settings.directory.id,
        "TPS__DIRECTORY__DIR": str(folder),
        "TPS__DATABASE__URL": url,
    }

    async def revoke(address: str, code: str, *more: str, **changed: str) -> tuple[int, str]:
        words = ["broker", "--management", address, "revoke", code, *more]
        result = await asyncio.to_thread(CliRunner().invoke, tps, words, env={**environment, **changed})
        return result.exit_code, result.output

    async with management.serving() as address:
        asked = await revoke(address, ALPHA)
        done = await revoke(address, ALPHA, "--why", "keys stolen", "--by", "ada")
        again = await revoke(address, ALPHA, "--why", "to be sure")
        stranger = await revoke(address, "A01:STRANGER", "--why", "who is it")
        away = await revoke(address, ALPHA, "--why", "keys stolen", TPS__DATABASE__URL="postgresql://x@127.0.0.1:1/x")

    assert (asked[0], "Missing option '--why'" in asked[1]) == (2, True)
    assert (done[0], done[1].splitlines()[0]) == (0, f"{ALPHA} is now out.")
    assert (again[0], again[1].splitlines()[0]) == (0, f"{ALPHA} is already out.")
    for code, told in (stranger, away):
        assert (code, "The log of the component directory does not say so" in told) == (1, True)
    assert management.out == [ALPHA, "A01:STRANGER"]
    async with await PostgresStore.open(url, component=DIRECTORY) as store:
        newest = [event async for event in store.log.read()][-2:]
    assert [event.cause for event in newest] == [f"cli/{getuser()}/NoteThrownOut"] * 2
    assert [msgspec.msgpack.decode(event.state, type=ComponentThrownOut) for event in newest] == [
        ComponentThrownOut(code=ALPHA, why="keys stolen", by="ada"),
        ComponentThrownOut(code=ALPHA, why="to be sure", by=getuser()),
    ]
    async with process.opened(settings) as opened:
        (entry,) = await opened.board()
    assert (entry.status, entry.why) == ("APPROVED", "to be sure")
