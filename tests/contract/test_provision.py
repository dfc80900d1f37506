"""Provisioning of a real RabbitMQ, by function and by command (hub.mades.provision, `tps broker`)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aio_pika
import msgspec
import pytest
from click.testing import CliRunner, Result

from hub.mades.management import Management, managing
from hub.mades.paths import DELIVERY_LIMIT, EXCHANGE, VIRTUAL_HOST
from hub.mades.provision import DeadLetter, dead_letter_count, dead_letters, provision, revoke, status
from hub.mades.topology import QUEUE_ARGUMENTS, Registered, queue_names
from hub.ports import Refused
from hub.verbs.broker import broker as verb
from tests.mades_brokers import COMPONENTS, RabbitTls, own_queue, raw
from tests.mades_components import ALPHA, BRAVO, HUB, NORTH

pytestmark = pytest.mark.slow

BY_CODE = {component.code: component for component in COMPONENTS}


@pytest.fixture
async def operator(rabbit: RabbitTls) -> AsyncIterator[Management]:
    async with managing(rabbit.management_url) as operator:
        yield operator


def without(code: str) -> list[Registered]:
    return [component for component in COMPONENTS if component.code != code]


def with_changed(code: str, **changes: object) -> list[Registered]:
    return [*without(code), msgspec.structs.replace(BY_CODE[code], **changes)]


async def names(operator: Management, *path: str) -> set[str]:
    return {each["name"] for each in await operator.get(*path)}


async def publish(rabbit: RabbitTls, key: str, body: bytes, **properties: object) -> None:
    async with raw(rabbit, NORTH) as connection:
        exchange = await (await connection.channel(on_return_raises=True)).get_exchange(EXCHANGE, ensure=False)
        message = aio_pika.Message(body, user_id=NORTH, **properties)  # type: ignore[arg-type] # of Message
        await exchange.publish(message, routing_key=key, mandatory=True)


async def test_doing_it_again_changes_nothing(operator: Management) -> None:
    changes = await provision(operator, COMPONENTS)

    assert (changes.made, changes.removed, changes.left) == ((), (), ())


async def test_every_queue_stands_as_the_table_says(operator: Management) -> None:
    queues = {queue["name"]: queue for queue in await operator.get("queues", VIRTUAL_HOST)}

    for component in COMPONENTS:
        for name in queue_names(component):
            assert queues[name]["arguments"] == dict(QUEUE_ARGUMENTS)
            assert queues[name]["durable"]
    assert len(queues) == 2 * len(COMPONENTS) + 1


async def test_a_user_has_no_password_and_no_power(operator: Management) -> None:
    for code in BY_CODE:
        user = await operator.get("users", code)
        assert (user["password_hash"], user["tags"]) == ("", [])


async def test_who_is_not_listed_any_more_is_thrown_out_with_its_empty_queues(operator: Management) -> None:
    changes = await provision(operator, without(BRAVO))

    assert f"user {BRAVO}" in changes.removed
    assert BRAVO not in await names(operator, "users")
    again = await provision(operator, COMPONENTS)
    assert f"user {BRAVO}" in again.made


async def test_a_revoked_component_is_out_and_keeps_what_waits_for_it(operator: Management, rabbit: RabbitTls) -> None:
    async with raw(rabbit, BRAVO) as connection:
        closed = asyncio.Event()
        connection.close_callbacks.add(lambda *_: closed.set())

        await provision(operator, with_changed(BRAVO, revoked=True))

        await asyncio.wait_for(closed.wait(), 5)
    assert BRAVO not in await names(operator, "users")
    assert own_queue(BRAVO) in await names(operator, "queues", VIRTUAL_HOST)


async def test_a_queue_of_another_name_gets_the_keys_and_the_old_one_gets_none(
    operator: Management, rabbit: RabbitTls
) -> None:
    changes = await provision(operator, with_changed(HUB, suffix="f" * 16))
    await publish(rabbit, f"{HUB}.{NORTH}.STD.TPS-POINTS", b"x")

    bound = await operator.get("exchanges", VIRTUAL_HOST, EXCHANGE, "bindings", "source")
    assert own_queue(HUB) not in {each["destination"] for each in bound}
    # What is not told to be empty is not deleted; the names that are shown do not say the secret.
    assert len(changes.left) + len(changes.removed) == 2
    assert own_queue(HUB)[-16:] not in " ".join([*changes.made, *changes.left, *changes.removed])


async def test_a_queue_that_stands_there_with_other_arguments_is_named_and_not_touched(operator: Management) -> None:
    await operator.delete("queues", VIRTUAL_HOST, own_queue(BRAVO))
    await operator.put("queues", VIRTUAL_HOST, own_queue(BRAVO), body={"durable": True, "arguments": {}})

    with pytest.raises(Refused, match="inequivalent arg"):
        await provision(operator, COMPONENTS)


async def test_revoking_is_for_components_and_may_be_repeated(operator: Management) -> None:
    assert await revoke(operator, ALPHA)
    assert not await revoke(operator, ALPHA)
    with pytest.raises(Refused, match="no component"):
        await revoke(operator, "provisioner")


async def test_a_wrong_password_is_told(rabbit: RabbitTls) -> None:
    address = rabbit.management_url.rpartition("@")[2]
    async with managing(f"http://provisioner:guess@{address}") as stranger:
        with pytest.raises(Refused, match="administrator"):
            await provision(stranger, COMPONENTS)


async def test_the_status_shows_who_is_there(operator: Management, rabbit: RabbitTls) -> None:
    await revoke(operator, BRAVO)
    async with raw(rabbit, NORTH):
        shown = {each.code: each for each in await status(operator)}

    assert shown.keys() == BY_CODE.keys()
    assert [shown[code].may_log_in for code in (HUB, NORTH, ALPHA, BRAVO)] == [True, True, True, False]
    assert shown[NORTH].waiting.keys() == {"urgent", "bulk"}


async def test_dead_letters_say_why_and_between_whom_and_not_what(operator: Management, rabbit: RabbitTls) -> None:
    key = f"{HUB}.{NORTH}.STD.TPS-POINTS"
    begun = datetime.now(UTC).replace(microsecond=0)
    await publish(rabbit, key, b"a secret", message_id="refused")
    await publish(rabbit, key, b"a secret", message_id="too often")
    await publish(rabbit, key, b"a secret", message_id="old", expiration=timedelta(milliseconds=1))
    async with raw(rabbit, HUB) as connection:
        queue = await (await connection.channel()).declare_queue(own_queue(HUB), passive=True)
        await (await queue.get()).reject(requeue=False)
        deliveries = 0
        while message := await queue.get(fail=False):
            deliveries += 1
            await message.nack(requeue=True)

    letters: list[DeadLetter] = []
    async with asyncio.timeout(10):
        while len(letters) < 3:
            letters = await dead_letters(operator, limit=10)

    assert {(letter.message_id, letter.reason) for letter in letters} == {
        ("refused", "rejected"),
        ("too often", "delivery_limit"),
        ("old", "expired"),
    }
    assert deliveries == 1 + DELIVERY_LIMIT
    assert {(letter.sender, letter.receiver, letter.business_type) for letter in letters} == {
        (NORTH, HUB, "TPS-POINTS")
    }
    assert all(letter.at and letter.at >= begun for letter in letters)
    assert "secret" not in repr(letters)
    for _ in range(25):  # looking takes nothing away, also not where twenty deliveries are the limit
        assert len(await dead_letters(operator, limit=10)) == 3
    async with asyncio.timeout(10):
        while await dead_letter_count(operator) != 3:  # noqa: ASYNC110 - the broker counts every few seconds
            await asyncio.sleep(0.2)


async def test_the_commands_do_all_this_for_an_operator(rabbit: RabbitTls, tmp_path: Path) -> None:
    listed = tmp_path / "components.json"
    listed.write_bytes(msgspec.json.encode(COMPONENTS))
    user, _, address = rabbit.management_url.removeprefix("http://").partition("@")
    password = tmp_path / "password"
    password.write_text(user.partition(":")[2] + "\n")

    async def tps(*words: str) -> Result:
        options = ["--management", f"http://provisioner@{address}", "--password-file", str(password)]
        return await asyncio.to_thread(CliRunner().invoke, verb, [*options, *words])

    assert (await tps("provision", "--components", str(listed))).output == "4 components, 0 made, 0 removed.\n"
    revoked = await tps("revoke", ALPHA, "--why", "keys stolen")
    assert (revoked.exit_code, revoked.output.splitlines()[0]) == (1, f"{ALPHA} is now out.")
    assert "log of the component directory does not say so" in revoked.output
    shown = (await tps("status")).output.splitlines()
    assert f"{ALPHA}  may not log in" in "\n".join(shown)
    assert shown[-1] == "Dead letters: 0."
    assert (await tps("dead-letters")).output == "Dead letters: 0.\n"
    assert json.loads((await tps("dead-letters", "--json")).output) == {"oldest": [], "count": 0}
    told = json.loads((await tps("status", "--json")).output)
    assert (told["dead_letters"], ALPHA in {each["code"] for each in told["components"]}) == (0, True)
    refused = await tps("revoke", "provisioner", "--why", "a mistake")
    assert (refused.exit_code, "runs the broker" in refused.output) == (1, True)
