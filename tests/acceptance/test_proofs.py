"""A participant sees for itself that its message is in the log, offline, and learns nothing of anybody else by it."""

import asyncio
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from hub.audit.merkle import leaf_hash
from hub.audit.records import record_of
from hub.cli import tps
from hub.store.codec import digest_of
from hub.store.postgres import PostgresStore
from hub.verbs import verify_proof
from tests.fixtures_store import DatabaseUrl
from tests.notary_world import HUB, SALTS, Site, answered, event
from tests.system import MARKET

pytestmark = pytest.mark.slow

ALPHA, BRAVO = "A01:45X-AGR-ALPHA--N", "A01:45X-AGR-BRAVO--B"
OURS, THEIRS = b"<what alpha sent/>", b"<what bravo sent/>"


class Place(NamedTuple):
    """A signed log on PostgreSQL, and a folder with nothing but what alpha has."""

    site: Site
    url: str
    folder: Path

    async def tps(self, *arguments: str) -> Result:
        """One command of the operator."""
        settings = {
            "TPS__HUB__ID": MARKET.id,
            "TPS__HUB__SECRET": MARKET.secret.reveal(),
            "TPS__DATABASE__URL": self.url,
            "TPS__MADES__DIR": str(self.site.folder),
        }
        return await asyncio.to_thread(CliRunner(env=settings).invoke, tps, ["events", *arguments])

    async def prove(self, *arguments: str) -> dict[str, Any]:
        """The proof, which alpha is given too."""
        result = await self.tps("prove", *arguments)
        assert result.exit_code == 0, result.output
        (self.folder / "proof.json").write_text(result.stdout)
        proof: dict[str, Any] = json.loads(result.stdout)
        return proof

    def verify(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The script, alone, as alpha runs it."""
        command = [sys.executable, "-I", "verify_proof.py", "proof.json", "--root", "root.pem", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
async def place(database_url: DatabaseUrl, tmp_path: Path) -> AsyncIterator[Place]:
    """Alpha's message is the 5th of 9, between others; checkpoints at 3, 6, 9."""
    url, folder = await database_url(), tmp_path / "alpha"
    folder.mkdir()
    async with await PostgresStore.open(url, component=HUB) as store:
        site = Site(store, tmp_path / "keys", records=3)
        await site.documents(3)
        await site.write(
            event("participant/x", "ParticipantAdded.v1", {"type": "ParticipantAdded.v1", "name": "Bravo Ltd"}),
            answered(OURS, sender=ALPHA, mrid="our-mrid"),
            answered(THEIRS, sender=BRAVO, mrid="their-mrid"),
            payloads=(THEIRS, OURS),
        )
        await site.documents(3)
        while await site.checkpointer.write():
            pass
        shutil.copy(site.folder / "root.pem", folder)
        shutil.copy(str(verify_proof.__file__), folder)
        (folder / "ours.xml").write_bytes(OURS)
        yield Place(site, url, folder)


async def test_a_participant_verifies_offline_that_its_message_is_in_the_log(place: Place) -> None:
    proof = await place.prove("our-mrid")

    run = place.verify("--document", "ours.xml")

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(f"trade-permission-system/{HUB} had 6 records at ")
    assert "Record 5 of it is DocumentAnswered.v1:" in run.stdout
    assert '"mrid": "our-mrid"' in run.stdout
    assert run.stdout.endswith("The record is about exactly this document.\n")
    assert proof["audience"] == ALPHA


async def test_another_document_is_not_the_one_of_the_record(place: Place) -> None:
    await place.prove("5")
    (place.folder / "ours.xml").write_bytes(OURS + b" ")

    run = place.verify("--document", "ours.xml")

    assert (run.returncode, run.stdout) == (1, "")
    assert "Not proven: the document has the digest" in run.stderr


async def test_a_proof_with_a_changed_byte_proves_nothing(place: Place) -> None:
    proof = await place.prove("our-mrid", "--since", "3")
    root = str(place.folder / "root.pem")
    assert verify_proof.check(proof, root, OURS)

    for spot in (
        ("checkpoint", "signature"),
        ("inclusion", "record"),
        ("inclusion", "salt"),
        ("inclusion", "path", 0),
        ("inclusion", "path", -1),
        ("consistency", "path", 0),
        ("consistency", "checkpoint", "signature"),
    ):
        changed = json.loads(json.dumps(proof))
        *way, last = spot
        holder: Any = changed
        for step in way:
            holder = holder[step]
        content = base64.b64decode(holder[last])
        for at in (0, len(content) // 2, len(content) - 1):
            holder[last] = base64.b64encode(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]).decode()
            with pytest.raises((verify_proof.NotProven, ValueError)):
                verify_proof.check(changed, root, OURS)
    for find, put in (("\n6\n", "\n7\n"), ("time 2", "time 3"), (HUB, ALPHA)):
        changed = json.loads(json.dumps(proof))
        changed["checkpoint"]["note"] = changed["checkpoint"]["note"].replace(find, put)
        with pytest.raises(verify_proof.NotProven):
            verify_proof.check(changed, root, OURS)


async def test_a_later_log_is_proven_to_continue_the_one_that_a_participant_knows(place: Place) -> None:
    await place.prove("--since", "3")

    run = place.verify()

    assert run.returncode == 0, run.stderr
    assert " had 9 records at " in run.stdout
    assert "Its first 3 records are those it had at " in run.stdout


async def test_a_proof_of_another_platform_is_refused(place: Place, tmp_path: Path) -> None:
    await place.prove("our-mrid")
    Site(place.site.store, tmp_path / "other")
    shutil.copy(tmp_path / "other" / "root.pem", place.folder)

    run = place.verify()

    assert run.returncode == 1
    assert "Not proven: the certificate of the hub does not hold" in run.stderr


@pytest.mark.parametrize("content", ["", "{}", '{"format": "tps-proof.v2"}', '{"format": "tps-proof.v1"}'])
async def test_what_is_no_proof_ends_in_words(place: Place, content: str) -> None:
    (place.folder / "proof.json").write_text(content)

    run = place.verify()

    assert run.returncode in (1, 2)
    assert len(run.stderr.splitlines()) == 1


async def test_nf3_a_proof_holds_nothing_that_another_has_sent(place: Place) -> None:
    proof = await place.prove("our-mrid", "--since", "3")

    held = json.dumps(proof).encode() + b"".join(everything(proof))
    for foreign in (b"BRAVO", b"Bravo", b"their-mrid", digest_of(THEIRS).encode()):
        assert foreign not in held
    for stored in [each async for each in place.site.store.log.read()]:
        assert stored.chain not in everything(proof)


async def test_nf3_a_right_guess_at_anothers_record_is_not_confirmed_by_a_proof(place: Place) -> None:
    proof = await place.prove("our-mrid")
    path = [base64.b64decode(node) for node in proof["inclusion"]["path"]]
    salt = base64.b64decode(proof["inclusion"]["salt"])

    (theirs,) = [each async for each in place.site.store.log.read(after=5, until=6)]
    guess = record_of(theirs, position=theirs.position, at=theirs.at)

    # The neighbour's leaf stands in the path: whoever could compute it from a guess would know.
    assert SALTS.leaf(6, guess) in path
    for salted in (b"", bytes(32), salt):
        assert leaf_hash(salted + guess) not in path


async def test_a_record_that_is_no_participants_own_is_for_an_auditor_only(place: Place) -> None:
    refused = await place.tps("prove", "4")
    assert (refused.exit_code, "may be shown to no participant" in refused.output) == (1, True)

    proof = await place.prove("4", "--auditor")

    assert proof["audience"] == "auditor"
    assert "Record 4 of it is ParticipantAdded.v1:" in place.verify().stdout


async def test_what_cannot_be_proven_is_said_in_words(place: Place) -> None:
    await place.site.write(answered(OURS, sender=BRAVO, mrid="our-mrid"))

    unknown = await place.tps("prove", "no-mrid")
    beyond = await place.tps("prove", "99")
    uncovered = await place.tps("prove", "10")
    several = await place.tps("prove", "our-mrid")
    nothing = await place.tps("prove")
    no_checkpoint = await place.tps("prove", "5", "--since", "4")

    assert (unknown.exit_code, "no record of a message no-mrid" in unknown.output) == (1, True)
    assert (beyond.exit_code, "no position 99" in beyond.output) == (1, True)
    assert (uncovered.exit_code, "No checkpoint has 10 records yet" in uncovered.output) == (1, True)
    assert (several.exit_code, "--sender" in several.output) == (2, True)
    assert (nothing.exit_code, no_checkpoint.exit_code) == (2, 1)
    assert (await place.prove("our-mrid", "--sender", ALPHA.removeprefix("A01:")))["audience"] == ALPHA


def everything(value: Any) -> list[bytes]:
    """All that is in base64 in a proof."""
    if isinstance(value, dict):
        return [found for each in value.values() for found in everything(each)]
    if isinstance(value, list):
        return [found for each in value for found in everything(each)]
    try:
        return [base64.b64decode(value, validate=True)]
    except ValueError:
        return []
