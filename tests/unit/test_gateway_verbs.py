"""The commands of a gateway's operator: tokens are shown once, listed by fingerprint, withdrawn; roles are minded."""

from getpass import getuser
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from gateways.events import TokenIssued, TokenRevoked
from hub.cli import tps
from hub.errors import SettingsError
from hub.store.postgres import PostgresStore
from hub.store.tokens import fingerprint_of
from tests.fixtures_store import Cluster
from tests.operated import ALPHA_CODE, GATEWAY_SETTINGS, run

ALPHA = "45X-AGR-ALPHA--N"
HUB = "45X-TPS-HUB-DEM8"


def options(role: str, directory: Path) -> list[str]:
    chosen = {
        "participant.id": ALPHA,
        "participant.role": role,
        "gateway.hub_id": HUB,
        "database.dir": str(directory),
    }
    return [part for name, value in chosen.items() for part in ("--set", f"{name}={value}")]


@pytest.mark.slow
def test_a_token_is_shown_once_listed_by_its_fingerprint_and_withdrawn(tmp_path: Path) -> None:
    shell, chosen = CliRunner(), options("AGR", tmp_path)

    secret = shell.invoke(tps, [*chosen, "tokens", "issue", "--label", "trading desk"])
    listed = shell.invoke(tps, [*chosen, "tokens", "list"])
    fingerprint = listed.output.split()[0]
    revoked = shell.invoke(tps, [*chosen, "tokens", "revoke", fingerprint, "--why", "left us"])
    again = shell.invoke(tps, [*chosen, "tokens", "revoke", fingerprint, "--why", "left us"])
    after = shell.invoke(tps, [*chosen, "tokens", "list"])

    assert [result.exit_code for result in (secret, listed, revoked, again, after)] == [0, 0, 0, 1, 0], again.output
    assert len(secret.output.strip()) >= 43
    assert secret.output.strip() not in listed.output
    assert ("trading desk" in listed.output, "valid" in listed.output, "revoked" in after.output) == (True, True, True)


async def test_who_issued_and_who_withdrew_a_token_and_why_is_in_the_log(cluster: Cluster) -> None:
    async with cluster.lent() as url:
        issuing = ("tokens", "issue", "--label", "desk", "--why", "new desk", "--by", "ada")
        secret = (await run(url, *issuing, settings=GATEWAY_SETTINGS)).strip()
        fingerprint = fingerprint_of(secret)
        revoking = ("tokens", "revoke", fingerprint[:8], "--why", "left us", "--by", "bob")
        await run(url, *revoking, settings=GATEWAY_SETTINGS)
        async with await PostgresStore.open(url, component=ALPHA_CODE) as store:
            events = [event async for event in store.log.read()]

    issued, revoked = (event.state for event in events)
    assert msgspec.json.decode(issued, type=TokenIssued) == TokenIssued(
        fingerprint=fingerprint, label="desk", expires=None, why="new desk", by="ada"
    )
    assert msgspec.json.decode(revoked, type=TokenRevoked) == TokenRevoked(
        fingerprint=fingerprint, label="desk", why="left us", by="bob"
    )
    assert [event.cause for event in events] == [f"cli/{getuser()}"] * 2
    assert secret.encode() not in issued + revoked


def test_too_short_a_fingerprint_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(tps, [*options("AGR", tmp_path), "tokens", "revoke", "abc", "--why", "x"])

    assert result.exit_code == 2
    assert "at least 8" in result.output


@pytest.mark.parametrize(("verb", "role", "other"), [("agr", "DSO", "tps dso"), ("dso", "AGR", "tps agr")])
def test_a_gateway_of_the_other_kind_is_not_started(tmp_path: Path, verb: str, role: str, other: str) -> None:
    result = CliRunner().invoke(tps, [*options(role, tmp_path), verb])

    assert isinstance(result.exception, SettingsError)
    assert other in str(result.exception)
