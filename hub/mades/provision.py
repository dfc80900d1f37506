"""Makes a RabbitMQ broker carry this platform: virtual host, exchanges, queues, users, permissions (F1, NF3).

Through its management interface, as often as one likes: what is so already stays, what is too much goes. A user is a
component's code and has no password: it proves itself with its certificate. Deleting the user is its revocation; its
connections are closed at once.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from hub.mades.management import Management
from hub.mades.paths import DEAD_LETTERS, EXCHANGE, VIRTUAL_HOST, Access, EndpointQueue
from hub.mades.topology import DEAD_ARGUMENTS, QUEUE_ARGUMENTS, Registered, Topology, compile_topology, owner_of
from hub.ports import Refused

_ENDPOINT: Final = "mades.ep."


class Changes(Struct, frozen=True, kw_only=True):
    """What a provisioning did. `left` names queues that nobody has any more and that still hold messages."""

    made: tuple[str, ...]
    removed: tuple[str, ...]
    left: tuple[str, ...]


class ComponentStatus(Struct, frozen=True, kw_only=True):
    """A component as the broker sees it; `waiting` by kind of queue. The broker's counts may be some seconds old."""

    code: str
    may_log_in: bool
    connections: int
    waiting: Mapping[str, int]


class DeadLetter(Struct, frozen=True, kw_only=True):
    """Why a message was given up, and between whom; never what it says."""

    reason: str
    sender: str
    receiver: str
    business_type: str
    message_id: str
    at: datetime | None


async def provision(broker: Management, components: Sequence[Registered]) -> Changes:
    """Make the broker fit these components, and throw out everybody else.

    Raises:
        ValueError: the components contradict each other.
        Refused: the broker does not want it, for instance because a queue stands there with other arguments.
        Unavailable: it does not answer; doing it again ends well.
    """
    topology = compile_topology(components)
    made = [*await _ground(broker), *await _queues(broker, topology.queues)]
    made += await _bind(broker, topology.queues)
    made += await _users(broker, topology.users)
    removed = await _expel(broker, topology.users)
    gone, left = await _clear_queues(broker, topology)
    return Changes(made=tuple(made), removed=(*removed, *gone), left=tuple(left))


async def revoke(broker: Management, code: str) -> bool:
    """Throw a component out, now; whether it was in. Its queues and what waits in them stay.

    Raises:
        Refused: this is no component but somebody who runs the broker.
    """
    user = await broker.get("users", code)
    if user is None:
        return False
    if user["tags"]:
        raise Refused(f"{code} runs the broker and is no component of the exchange.")
    return await broker.delete("users", code)


async def status(broker: Management) -> list[ComponentStatus]:
    """Every component that has a user or a queue at the broker, by code."""
    users, queues = set(await _component_users(broker)), await _endpoint_queues(broker)
    connected = [connection.get("user") for connection in await broker.get("connections") or ()]
    waiting: dict[str, dict[str, int]] = {code: {} for code in users}
    for queue in queues:
        kinds = waiting.setdefault(_owner(queue), {})
        kind = queue["name"].split(".")[-2]
        kinds[kind] = kinds.get(kind, 0) + queue.get("messages", 0)
    return [
        ComponentStatus(code=code, may_log_in=code in users, connections=connected.count(code), waiting=waiting[code])
        for code in sorted(waiting)
    ]


async def dead_letters(broker: Management, *, limit: int) -> list[DeadLetter]:
    """The oldest dead letters, up to `limit`. They stay where they are."""
    # The content is cut to one byte at the broker, so that none of it comes here.
    wanted = {"count": limit, "ackmode": "ack_requeue_true", "encoding": "base64", "truncate": 1}
    letters = await broker.post("queues", VIRTUAL_HOST, DEAD_LETTERS, "get", body=wanted)
    return [_dead_letter(letter) for letter in letters]


async def dead_letter_count(broker: Management) -> int:
    """How many there are; may be some seconds old."""
    queue = await broker.get("queues", VIRTUAL_HOST, DEAD_LETTERS)
    return int((queue or {}).get("messages", 0))


async def _ground(broker: Management) -> list[str]:
    """The virtual host, its exchanges, and the queue of dead letters."""
    made = await broker.put("vhosts", VIRTUAL_HOST)
    operator = (await broker.get("whoami"))["name"]
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    await broker.put("permissions", VIRTUAL_HOST, operator, body=everything)
    for name, kind in ((EXCHANGE, "topic"), (DEAD_LETTERS, "fanout")):
        await broker.put("exchanges", VIRTUAL_HOST, name, body={"type": kind, "durable": True})
    await _queue(broker, DEAD_LETTERS, DEAD_ARGUMENTS)
    await broker.post("bindings", VIRTUAL_HOST, "e", DEAD_LETTERS, "q", DEAD_LETTERS, body={"routing_key": ""})
    return [f"virtual host {VIRTUAL_HOST}"] if made else []


async def _queues(broker: Management, queues: Iterable[EndpointQueue]) -> list[str]:
    results = await asyncio.gather(*(_queue(broker, queue.name, QUEUE_ARGUMENTS) for queue in queues))
    return [_shown(queue.name) for queue, made in zip(queues, results, strict=True) if made]


async def _queue(broker: Management, name: str, arguments: Mapping[str, str | int]) -> bool:
    return await broker.put("queues", VIRTUAL_HOST, name, body={"durable": True, "arguments": dict(arguments)})


async def _bind(broker: Management, queues: Sequence[EndpointQueue]) -> list[str]:
    """Let exactly the keys of the table lead to the queues; nothing leads to any other queue."""
    wanted = {(queue.name, key) for queue in queues for key in queue.bindings}
    standing = await broker.get("exchanges", VIRTUAL_HOST, EXCHANGE, "bindings", "source")
    there = {(each["destination"], each["routing_key"]): each["properties_key"] for each in standing}
    await asyncio.gather(
        *(
            broker.post("bindings", VIRTUAL_HOST, "e", EXCHANGE, "q", name, body={"routing_key": key})
            for name, key in wanted - there.keys()
        )
    )
    await asyncio.gather(
        *(
            broker.delete("bindings", VIRTUAL_HOST, "e", EXCHANGE, "q", name, there[name, key])
            for name, key in there.keys() - wanted
        )
    )
    return [f"bindings of {_shown(name)}" for name in sorted({name for name, _ in wanted - there.keys()})]


async def _users(broker: Management, users: Mapping[str, Access]) -> list[str]:
    results = await asyncio.gather(*(_user(broker, code, rules) for code, rules in users.items()))
    return [f"user {code}" for code, made in zip(users, results, strict=True) if made]


async def _user(broker: Management, code: str, rules: Access) -> bool:
    made = await broker.put("users", code, body={"password_hash": "", "tags": ""})
    # Without any rule on topics a user may write every key, so this one comes before the permission to write at all.
    topic = {"exchange": EXCHANGE, "write": rules.topic, "read": rules.configure}
    await broker.put("topic-permissions", VIRTUAL_HOST, code, body=topic)
    names = {"configure": rules.configure, "write": rules.write, "read": rules.read}
    await broker.put("permissions", VIRTUAL_HOST, code, body=names)
    return made


async def _expel(broker: Management, users: Mapping[str, Access]) -> list[str]:
    strangers = [code for code in await _component_users(broker) if code not in users]
    await asyncio.gather(*(broker.delete("users", code) for code in strangers))
    return [f"user {code}" for code in strangers]


async def _component_users(broker: Management) -> list[str]:
    """Users with a right in our virtual host who do not run the broker."""
    here = {each["user"] for each in await broker.get("vhosts", VIRTUAL_HOST, "permissions") or ()}
    return sorted(user["name"] for user in await broker.get("users") if user["name"] in here and not user["tags"])


async def _clear_queues(broker: Management, topology: Topology) -> tuple[list[str], list[str]]:
    """Delete queues that nobody has any more, once they are empty; no key leads to them by now."""
    ours = {queue.name for queue in topology.queues}
    strays = [queue for queue in await _endpoint_queues(broker) if queue["name"] not in ours]
    empty = [queue["name"] for queue in strays if queue.get("messages", 1) == 0]
    await asyncio.gather(*(broker.delete("queues", VIRTUAL_HOST, name) for name in empty))
    left = [f"{_shown(queue['name'])}" for queue in strays if queue["name"] not in empty]
    return [_shown(name) for name in empty], left


async def _endpoint_queues(broker: Management) -> list[dict[str, Any]]:  # Any: JSON
    queues = await broker.get("queues", VIRTUAL_HOST) or ()
    return [queue for queue in queues if queue["name"].startswith(_ENDPOINT) and owner_of(queue["name"])]


def _owner(queue: Mapping[str, Any]) -> str:  # Any: JSON
    return owner_of(queue["name"]) or ""


def _shown(queue: str) -> str:
    """A queue's name without its last part, which is between its owner and the broker."""
    return f"queue {queue.rpartition('.')[0]}"


def _dead_letter(letter: Mapping[str, Any]) -> DeadLetter:  # Any: JSON
    properties = letter["properties"]
    deaths = properties.get("headers", {}).get("x-death") or [{}]
    receiver, sender, _, business_type = [*letter["routing_key"].split("."), "", "", "", ""][:4]
    return DeadLetter(
        reason=deaths[0].get("reason", "unknown"),
        sender=properties.get("user_id") or sender,
        receiver=receiver,
        business_type=business_type,
        message_id=properties.get("message_id", ""),
        at=datetime.fromtimestamp(deaths[0]["time"], UTC) if "time" in deaths[0] else None,
    )
