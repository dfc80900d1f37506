"""An endpoint between its store and the network: every way a message can go, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from types import MappingProxyType

import pytest
from msgspec import structs

from hub.clock import ManualClock
from hub.errors import Forbidden, Unavailable
from hub.mades.codec import framed, parted
from hub.mades.endpoint import Incoming, PingFailed, preparation, receiver, transit
from hub.mades.keyring import Keys
from hub.mades.manifest import manifest_digest
from hub.mades.memory import Faults, MemoryNetwork, MemoryTransport
from hub.mades.message import Acknowledgement, BusinessType, InternalType, Message
from hub.mades.seal import Sealer
from hub.ports import MessageState, Publication, Queue
from tests.keyring import Everybody, Listing, holder, opened, sealer_of
from tests.mades_components import ALPHA, BRAVO, HUB, NORTH, PARTIES, Component, pass_time


class World:
    """Hub, one DSO and one AGR on a network in memory, under a clock that the test moves."""

    def __init__(self, *, volatile: bool = False) -> None:
        self.clock = ManualClock()
        self.network = MemoryNetwork(self.clock, volatile=volatile)
        self.network.provision(PARTIES, hub=HUB)
        self.hub = Component(HUB, self.clock)
        self.north = Component(NORTH, self.clock)
        self.alpha = Component(ALPHA, self.clock)

    def start(self, *components: Component) -> None:
        for component in components:
            component.start(self.network.attach(component.code))

    async def run(self, seconds: float = 1.0) -> None:
        await pass_time(self.clock, seconds)

    async def stop(self) -> None:
        for component in (self.hub, self.north, self.alpha):
            await component.stop()

    async def deliver_raw(
        self,
        message: Message,
        *,
        user: str = NORTH,
        body: bytes | None = None,
        told: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Put bytes on the road as a component that does not use our endpoint; `told` is what it tells the broker."""
        true = Publication(
            message_id=message.message_id,
            internal_type=message.internal_type,
            sender=user,
            receiver=HUB,
            business_type=message.business_type,
            urgent=False,
            ttl_s=(message.expires - self.clock.now()).total_seconds(),
            body=sealer_of(message.sender).seal(message) if body is None else body,
            correlation_id=message.related,
        )
        await self.network.attach(user).publish(structs.replace(true, **told))

    def message(self, **changes: object) -> Message:
        now = self.clock.now()
        fields: dict[str, object] = {
            "message_id": "m1",
            "internal_type": InternalType.STANDARD,
            "sender": NORTH,
            "receiver": HUB,
            "business_type": BusinessType.POINTS,
            "generated": now,
            "expires": now + timedelta(hours=1),
            "content": b"document",
        }
        return Message(**(fields | changes))  # type: ignore[arg-type] # fields by name


def said(kind: InternalType, related: str, at: datetime) -> Acknowledgement:
    return Acknowledgement(kind=kind, related=related, manifest_digest="ab" * 32, event_time=at)


@asynccontextmanager
async def running(*names: str, volatile: bool = False) -> AsyncIterator[World]:
    world = World(volatile=volatile)
    world.start(*(getattr(world, name) for name in names))
    try:
        yield world
    finally:
        await world.stop()


def counted(component: Component, busy: list[int]) -> Callable[[Incoming], Awaitable[None]]:
    """How the component receives, noting how many messages it has in hand each time."""
    receive, in_hand = component.receive, set[str]()

    async def watched(incoming: Incoming) -> None:
        in_hand.add(incoming.message.message_id)
        busy.append(len(in_hand))
        await receive(incoming)
        in_hand.discard(incoming.message.message_id)

    return watched


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running("hub", "north", "alpha") as world:
        yield world


async def test_r29_a_message_is_received_once_its_effect_is_committed(world: World) -> None:
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    assert await world.north.state("points") is MessageState.ACCEPTED

    await world.run()

    assert world.hub.effects == ["points"]
    status = await world.north.status("points")
    assert status.state is MessageState.RECEIVED
    assert {step.component for step in status.trace} == {NORTH, HUB}
    assert "points" in world.north.changed


async def test_what_a_killed_sender_had_in_hand_leaves_as_soon_as_it_is_back() -> None:
    async with running("hub") as world:
        await world.north.submit(HUB, "points", BusinessType.POINTS)
        await world.north.store.outbox.claim(urgent=False, limit=1, now=world.clock.now(), lease_s=60)

        world.start(world.north)
        await world.run()

        assert world.hub.effects == ["points"]


async def test_messages_wait_for_a_receiver_that_is_away() -> None:
    async with running("north") as world:
        await world.north.submit(HUB, "points", BusinessType.POINTS)
        await world.run(60)
        assert await world.north.state("points") is MessageState.ACCEPTED

        world.start(world.hub)
        await world.run(2)

        assert await world.north.state("points") is MessageState.RECEIVED


async def test_a_repeated_message_has_one_effect_and_is_acknowledged_again(world: World) -> None:
    await world.deliver_raw(world.message())
    await world.deliver_raw(world.message())
    await world.run(2)

    await world.deliver_raw(world.message())
    await world.run(2)

    assert world.hub.effects == ["document"]
    assert world.hub.endpoint is not None
    assert world.hub.endpoint.status().duplicates == 2


async def test_the_id_of_a_message_taken_in_with_another_content_is_buried_and_acknowledged_to_nobody(
    world: World,
) -> None:
    await world.north.stop()
    await world.deliver_raw(world.message())
    await world.run(2)
    acknowledgements = len(world.network.mailbox(NORTH, Queue.URGENT).waiting)

    await world.deliver_raw(world.message(content=b"another document"))
    await world.run(2)

    assert world.hub.effects == ["document"]
    assert len(world.network.dead) == 1
    assert len(world.network.mailbox(NORTH, Queue.URGENT).waiting) == acknowledgements == 1
    assert await world.hub.store.outbox.claim(urgent=True, limit=9, now=world.clock.now(), lease_s=1) == []


async def test_r28_messages_of_one_document_take_effect_in_the_order_they_were_made(world: World) -> None:
    for number in range(5):
        await world.north.submit(HUB, "same", BusinessType.FORESEEN, content=f"revision {number}")
        await world.north.submit(HUB, f"other {number}", BusinessType.FORESEEN)
    world.hub.faults["receive revision 1"] = [Unavailable("store is away")]

    await world.run(8)

    assert [each for each in world.hub.effects if each.startswith("revision")] == [f"revision {n}" for n in range(5)]
    assert len(world.hub.effects) == 10


async def test_r28_a_bulk_message_whose_rendering_hangs_delays_no_urgent_one(world: World) -> None:
    list_is_made = world.north.held["render points"] = asyncio.Event()
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    await world.run(2)
    await world.north.submit(HUB, "stop", BusinessType.UNFORESEEN)

    await world.run(2)
    assert world.hub.effects == ["stop"]

    list_is_made.set()
    await world.run(2)
    assert world.hub.effects == ["stop", "points"]


async def test_a_long_document_leaves_before_the_next_one_is_made(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "PIECE_BYTES", 100)  # every document is long
    next_is_made = world.north.held["render next"] = asyncio.Event()
    await world.north.submit(HUB, "long", BusinessType.POINTS)
    await world.north.submit(HUB, "next", BusinessType.POINTS)

    await world.run(2)
    assert world.hub.effects == ["long"]

    next_is_made.set()
    await world.run(2)
    assert world.hub.effects == ["long", "next"]


async def test_bulk_waits_at_its_sender_while_enough_is_on_its_way_and_urgent_messages_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transit, "TRANSIT_BYTES", 1)  # one document is enough
    async with running("north", "alpha") as world:
        for number in range(3):
            await world.north.submit(HUB, f"points{number}", BusinessType.POINTS)
        await world.run(5)
        await world.north.submit(HUB, "stop", BusinessType.UNFORESEEN)
        await world.run(5)
        assert [await world.north.is_sent(each) for each in ("points0", "points1", "points2", "stop")] == [
            True,
            False,
            False,
            True,
        ]

        world.start(world.hub)
        await world.run(5)

        assert sorted(world.hub.effects) == ["points0", "points1", "points2", "stop"]
        assert world.hub.effects.index("points1") < world.hub.effects.index("points2")


async def test_a_receiver_that_is_away_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transit, "TRANSIT_BYTES", 1)
    async with running("hub", "alpha") as world:
        for number in range(2):
            await world.hub.submit(NORTH, f"away{number}", BusinessType.SCHEDULES)
        await world.hub.submit(ALPHA, "answer", BusinessType.RESPONSE)
        await world.run(5)
        assert (world.alpha.effects, await world.hub.is_sent("away1")) == (["answer"], False)

        await pass_time(world.clock, transit.PATIENCE_S)
        assert await world.hub.is_sent("away1"), "a lost acknowledgement must not stop the rest for ever"


@pytest.mark.parametrize(("long_bytes", "at_once"), [(1, 1), (2**20, 5)])
async def test_long_documents_are_taken_in_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, long_bytes: int, at_once: int
) -> None:
    world = World()
    monkeypatch.setattr(receiver, "LONG_BYTES", long_bytes)
    busy: list[int] = []
    monkeypatch.setattr(world.hub, "receive", counted(world.hub, busy))

    world.start(world.north)
    for number in range(5):
        await world.north.submit(HUB, f"points{number}", BusinessType.POINTS)
    await world.run(2)
    world.start(world.hub)
    await world.run(2)
    await world.stop()

    assert len(world.hub.effects) == 5
    assert max(busy) == at_once


async def test_while_the_store_is_away_messages_wait_and_nothing_fails(world: World) -> None:
    world.hub.faults["receive points"] = [Unavailable("store is away")] * 8
    await world.north.submit(HUB, "points", BusinessType.POINTS)

    await world.run(60)

    assert world.hub.effects == ["points"]
    assert await world.north.state("points") is MessageState.RECEIVED
    assert not world.network.dead


async def test_a_document_that_crashes_the_code_stops_no_other_and_ends_in_the_dead_letters(world: World) -> None:
    world.hub.faults["receive bad"] = [ZeroDivisionError()] * 100
    await world.north.submit(HUB, "bad", BusinessType.POINTS)
    await world.north.submit(HUB, "good", BusinessType.POINTS)

    await world.run(60)

    assert world.hub.effects == ["good"]
    assert len(world.network.dead) == 1


async def test_a_business_side_that_never_takes_it_fails_the_message_with_the_reason(world: World) -> None:
    world.hub.faults["receive points"] = [Forbidden("sender is suspended")]
    await world.north.submit(HUB, "points", BusinessType.POINTS)

    await world.run(2)

    status = await world.north.status("points")
    assert (status.state, status.reason) == (MessageState.FAILED, "E-BA-REJECTED")
    assert not world.network.dead


async def test_r27_a_type_that_the_sender_may_not_use_is_refused_by_the_broker(world: World) -> None:
    await world.north.submit(HUB, "plan", BusinessType.SCHEDULES)
    await world.north.submit(ALPHA, "direct", BusinessType.FORESEEN)

    await world.run(2)

    for document in ("plan", "direct"):
        status = await world.north.status(document)
        assert (status.state, status.reason) == (MessageState.FAILED, "E-BROKER-REFUSED")


async def test_r27_a_sender_without_a_path_is_refused_by_the_receiver_as_well(world: World) -> None:
    await world.hub.stop()
    world.hub.party_of = lambda _: None
    world.start(world.hub)
    await world.north.submit(HUB, "points", BusinessType.POINTS)

    await world.run(2)

    status = await world.north.status("points")
    assert (status.state, status.reason) == (MessageState.FAILED, "E-NO-PATH")
    assert world.hub.effects == []


async def test_r2_a_message_in_the_name_of_another_is_buried_and_nobody_is_told(world: World) -> None:
    await world.deliver_raw(world.message(sender=ALPHA), user=NORTH)

    await world.run(2)

    assert world.hub.effects == []
    assert len(world.network.dead) == 1
    assert await world.hub.store.outbox.claim(urgent=True, limit=9, now=world.clock.now(), lease_s=1) == []


@pytest.mark.parametrize(
    "told",
    [
        {"message_id": "m2"},
        {"business_type": BusinessType.FORESEEN},
        {"internal_type": InternalType.TRACING},
        {"correlation_id": "m7"},
    ],
    ids=lambda told: next(iter(told)),
)
async def test_a_message_whose_properties_say_something_else_fails_at_its_sender(
    world: World, told: dict[str, object]
) -> None:
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    (message,) = await world.north.store.outbox.claim(urgent=False, limit=1, now=world.clock.now(), lease_s=60)

    await world.deliver_raw(world.message(message_id=message.message_id, content=b"points"), told=told)
    await world.run(2)

    status = await world.north.status("points")
    assert (status.state, status.reason) == (MessageState.FAILED, "E-MISMATCH")
    assert (world.hub.effects, world.network.dead) == ([], [])


async def test_an_acknowledgement_whose_properties_say_something_else_is_buried(world: World) -> None:
    await world.hub.stop()
    await world.hub.submit(NORTH, "assets", BusinessType.ASSETS)
    (message,) = await world.hub.store.outbox.claim(urgent=False, limit=1, now=world.clock.now(), lease_s=1)
    await world.north.stop()
    world.start(world.hub)
    acknowledgement = world.message(
        internal_type=InternalType.FAILURE,
        content=b"",
        acknowledgements=(said(InternalType.FAILURE, message.message_id, world.clock.now()),),
    )

    await world.deliver_raw(acknowledgement, told={"correlation_id": "m7"})
    await world.run(2)

    assert await world.hub.state("assets") is MessageState.ACCEPTED
    assert len(world.network.dead) == 1


async def test_a_message_for_somebody_else_is_buried(world: World) -> None:
    await world.deliver_raw(world.message(receiver=BRAVO))

    await world.run(2)

    assert (world.hub.effects, len(world.network.dead)) == ([], 1)


@pytest.mark.parametrize("body", [b"", b"MADES", b"\x00" * 100, b"MADES\x01\x00\x00\xff\xff\xff\xff<manifest/>"])
async def test_bytes_that_are_no_message_are_buried_and_the_loop_goes_on(world: World, body: bytes) -> None:
    await world.deliver_raw(world.message(), body=body)
    await world.deliver_raw(world.message())

    await world.run(2)

    assert (world.hub.effects, len(world.network.dead)) == (["document"], 1)


async def test_a_message_that_its_sender_has_not_signed_has_no_effect_and_fails(world: World) -> None:
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    (message,) = await world.north.store.outbox.claim(urgent=False, limit=1, now=world.clock.now(), lease_s=60)
    forger = Sealer(NORTH, holder(ALPHA).keys, Everybody())
    forged = world.message(message_id=message.message_id, content=b"points")

    await world.deliver_raw(forged, body=forger.seal(forged))
    await world.run(2)

    status = await world.north.status("points")
    assert (status.state, status.reason) == (MessageState.FAILED, "E-NO-CERT")
    assert world.hub.effects == []


async def test_an_acknowledgement_that_its_sender_has_not_signed_is_buried(world: World) -> None:
    await world.hub.stop()
    await world.hub.submit(NORTH, "assets", BusinessType.ASSETS)
    (message,) = await world.hub.store.outbox.claim(urgent=False, limit=1, now=world.clock.now(), lease_s=1)
    await world.north.stop()
    world.start(world.hub)
    forged = world.message(
        internal_type=InternalType.RECEIVE,
        content=b"",
        acknowledgements=(said(InternalType.RECEIVE, message.message_id, world.clock.now()),),
    )

    await world.deliver_raw(forged, body=Sealer(NORTH, holder(ALPHA).keys, Everybody()).seal(forged))
    await world.run(2)

    assert await world.hub.state("assets") is MessageState.ACCEPTED
    assert len(world.network.dead) == 1


async def test_both_sides_keep_what_the_other_has_signed(world: World) -> None:
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    await world.run(3)

    sent = await world.north.status("points")
    (entry,) = world.hub.store.commit.inbox.values()
    assert entry.manifest is not None
    proofs = await world.north.store.outbox.proofs(sent.message_id)
    assert sent.state is MessageState.RECEIVED
    assert set(proofs) == {InternalType.DELIVERY, InternalType.RECEIVE}
    for manifest in proofs.values():
        told = opened(framed(manifest, b""), by=NORTH)
        assert told.sender == HUB
        assert [(each.kind, each.related) for each in told.acknowledgements] == [
            (InternalType.DELIVERY, sent.message_id),
            (InternalType.RECEIVE, sent.message_id),
        ]
        assert {each.manifest_digest for each in told.acknowledgements} == {manifest_digest(entry.manifest)}
        assert {each.plain_digest for each in told.acknowledgements} == {entry.digest}


async def test_of_urgent_documents_made_together_one_that_cannot_be_made_fails_alone(world: World) -> None:
    await world.hub.stop()
    world.hub.faults["render bad"] = [ValueError("no such row"), ValueError("no such row")]
    for document in ("one", "bad", "two"):
        await world.hub.submit(ALPHA, document, BusinessType.FORESEEN)
    world.start(world.hub)

    await world.run(2)

    assert sorted(world.alpha.effects) == ["one", "two"]
    bad = await world.hub.status("bad")
    assert (bad.state, bad.reason) == (MessageState.FAILED, "E-VALIDATION")
    assert world.hub.endpoint is not None
    assert world.hub.endpoint.status().failed == {"E-VALIDATION": 1}


async def test_what_is_acknowledged_together_is_signed_once(world: World) -> None:
    await world.hub.stop()
    for number in range(40):
        await world.north.submit(HUB, f"points {number}", BusinessType.POINTS)
    await world.run(2)
    world.start(world.hub)
    await world.run(5)

    documents = [await world.north.status(f"points {number}") for number in range(40)]
    proofs = [await world.north.store.outbox.proofs(each.message_id) for each in documents]
    assert {each.state for each in documents} == {MessageState.RECEIVED}
    assert [set(each) for each in proofs] == [{InternalType.DELIVERY, InternalType.RECEIVE}] * 40
    assert len({manifest for each in proofs for manifest in each.values()}) < 10
    assert world.hub.endpoint is not None
    assert world.hub.endpoint.status().sent == 80


async def test_what_one_partner_sent_is_in_no_list_for_another(world: World) -> None:
    await world.hub.stop()
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    await world.alpha.submit(HUB, "assets", BusinessType.ASSETS)
    await world.run(2)
    world.start(world.hub)
    await world.run(3)

    for component, document in ((world.north, "points"), (world.alpha, "assets")):
        sent = await component.status(document)
        proofs = await component.store.outbox.proofs(sent.message_id)
        assert set(proofs) == {InternalType.DELIVERY, InternalType.RECEIVE}
        for manifest in proofs.values():
            told = opened(framed(manifest, b""), by=component.code)
            assert {each.related for each in told.acknowledgements} == {sent.message_id}


async def test_of_a_list_only_what_its_sender_may_say_is_believed(world: World) -> None:
    await world.north.stop()
    await world.alpha.stop()
    await world.hub.submit(NORTH, "for north", BusinessType.ASSETS)
    await world.hub.submit(ALPHA, "for alpha", BusinessType.FORESEEN)
    await world.run(2)
    mine, foreign = [await world.hub.status(document) for document in ("for north", "for alpha")]
    (waiting,) = world.network.mailbox(NORTH, Queue.BULK).waiting
    digest = manifest_digest(parted(waiting.body)[0])
    listed = [
        structs.replace(said(InternalType.RECEIVE, each.message_id, world.clock.now()), manifest_digest=digest)
        for each in (mine, foreign)
    ]
    told = world.message(internal_type=InternalType.LIST, content=b"", acknowledgements=tuple(listed))

    await world.deliver_raw(told)
    await world.run(2)

    assert await world.hub.state("for north") is MessageState.RECEIVED
    assert await world.hub.state("for alpha") is MessageState.ACCEPTED


async def test_a_partner_that_registers_later_gets_what_waited_for_it() -> None:
    directory = Listing(missing={NORTH})
    async with running("north") as world:
        world.hub.sealer, world.hub.refresh = Sealer(HUB, holder(HUB).keys, directory), directory.refresh
        world.start(world.hub)
        await world.hub.submit(NORTH, "assets", BusinessType.ASSETS)
        await world.run(3)
        assert await world.hub.state("assets") is MessageState.ACCEPTED
        assert "E-UNKNOWN-RECEIVER" in (await world.hub.status("assets")).trace[-1].details

        directory.after_refresh = set()
        await world.run(8)

        assert await world.hub.state("assets") is MessageState.RECEIVED
        assert world.north.effects == ["assets"]


async def test_a_partner_that_never_registers_is_tried_once_a_minute_in_the_end() -> None:
    async with running() as world:
        world.hub.sealer = Sealer(HUB, holder(HUB).keys, Listing(missing={NORTH}))
        world.start(world.hub)
        await world.hub.submit(NORTH, "assets", BusinessType.ASSETS)
        await pass_time(world.clock, 600, step_s=5)

        tries = [step.at for step in (await world.hub.status("assets")).trace if step.state == "RETRY"]
        assert 10 <= len(tries) <= 20
        assert (tries[-1] - tries[-2]).total_seconds() >= 60


async def test_what_waits_while_its_receiver_renews_the_certificate_is_sealed_anew() -> None:
    async with running("north", volatile=True) as world:
        await world.north.submit(HUB, "points", BusinessType.POINTS)
        await world.run(2)
        await world.north.stop()
        world.network.restart()
        renewed = holder("A01:HUB-RENEWED")
        world.north.sealer = Sealer(NORTH, holder(NORTH).keys, Listing(encryption={HUB: renewed.encryption}))
        ours = holder(HUB).keys
        world.hub.sealer = Sealer(
            HUB, Keys(ours.signing, ours.signing_certificate, renewed.keys.decryption), Everybody()
        )

        world.start(world.north, world.hub)
        await world.run(5)

        assert (world.hub.effects, await world.north.state("points")) == (["points"], MessageState.RECEIVED)


async def test_nothing_is_refused_because_the_copy_of_the_directory_is_too_old() -> None:
    directory = Listing(stale=True)
    async with running("north") as world:
        world.hub.sealer = Sealer(HUB, holder(HUB).keys, directory)
        world.start(world.hub)
        await world.north.submit(HUB, "points", BusinessType.POINTS)
        await world.run(5)
        assert (world.hub.effects, await world.north.state("points")) == ([], MessageState.ACCEPTED)

        directory.stale = False
        await world.run(10)

        assert (world.hub.effects, await world.north.state("points")) == (["points"], MessageState.RECEIVED)


@asynccontextmanager
async def hub_with(directory: Listing) -> AsyncIterator[World]:
    """A platform whose hub has this copy of the directory."""
    async with running("north", "alpha") as world:
        world.hub.sealer, world.hub.refresh = Sealer(HUB, holder(HUB).keys, directory), directory.refresh
        world.start(world.hub)
        yield world


async def test_the_first_messages_of_a_new_partner_wait_while_the_directory_is_away_and_hold_up_nobody() -> None:
    directory = Listing(missing={NORTH})
    directory.away = True
    async with hub_with(directory) as world:
        await world.north.submit(HUB, "points", BusinessType.POINTS, content="first")
        await world.north.submit(HUB, "points", BusinessType.POINTS, content="second")
        await world.run(30)
        await world.alpha.submit(HUB, "plan", BusinessType.SCHEDULES)
        await world.run(3)
        assert world.hub.endpoint is not None
        assert (world.hub.effects, world.hub.endpoint.status().waiting_to_receive) == (["plan"], 2)
        assert await world.north.state("points") is MessageState.ACCEPTED

        directory.away, directory.after_refresh = False, set()
        await world.run(8)

        assert world.hub.effects == ["plan", "first", "second"]
        assert await world.north.state("points") is MessageState.RECEIVED
        assert world.hub.endpoint.status().waiting_to_receive == 0


async def test_a_partner_that_the_directory_itself_does_not_know_is_refused_at_once() -> None:
    async with hub_with(Listing(missing={NORTH})) as world:
        await world.north.submit(HUB, "points", BusinessType.POINTS)
        await world.run(2)

        assert world.hub.endpoint is not None
        assert world.hub.endpoint.status().refused == {"E-UNKNOWN-RECEIVER": 1}


async def test_a_new_partner_is_not_waited_for_longer_than_its_message_lives() -> None:
    directory = Listing(missing={NORTH})
    directory.away = True
    async with hub_with(directory) as world:
        await world.deliver_raw(world.message(expires=world.clock.now() + timedelta(seconds=20)))
        await world.run(15)
        assert world.hub.endpoint is not None
        assert world.hub.endpoint.status().refused == {}

        await world.run(12)

        assert world.hub.endpoint.status().refused == {"E-UNKNOWN-RECEIVER": 1}
        assert world.hub.effects == []


async def test_no_number_of_strangers_stops_a_queue_while_the_directory_is_away() -> None:
    directory = Listing(missing={NORTH})
    directory.away = True
    async with hub_with(directory) as world:
        for number in range(100):
            await world.deliver_raw(world.message(message_id=f"m{number}"))
        await world.run(10)
        await world.alpha.submit(HUB, "plan", BusinessType.SCHEDULES)
        await world.run(3)

        assert world.hub.effects == ["plan"]
        assert world.hub.endpoint is not None
        assert world.hub.endpoint.status().refused == {"E-UNKNOWN-RECEIVER": 84}


async def test_copies_of_what_waits_for_the_directory_wait_with_it_and_have_one_effect() -> None:
    directory = Listing(missing={NORTH})
    directory.away = True
    async with hub_with(directory) as world:
        await world.deliver_raw(world.message())
        await world.deliver_raw(world.message())
        await world.run(60)
        directory.away, directory.after_refresh = False, set()
        await world.run(8)

        assert (world.hub.effects, world.network.dead) == (["document"], [])


async def test_nobody_but_its_receiver_can_acknowledge_a_message(world: World) -> None:
    await world.hub.stop()
    await world.hub.submit(NORTH, "assets", BusinessType.ASSETS)
    (message,) = await world.hub.store.outbox.claim(urgent=False, limit=1, now=world.clock.now(), lease_s=1)
    forged = world.message(
        sender=ALPHA,
        internal_type=InternalType.RECEIVE,
        acknowledgements=(said(InternalType.RECEIVE, message.message_id, world.clock.now()),),
        content=b"",
    )
    world.start(world.hub)
    await world.north.stop()

    await world.deliver_raw(forged, user=ALPHA)
    await world.run(3)

    assert await world.hub.state("assets") is MessageState.ACCEPTED


async def test_what_waits_for_the_broker_leaves_as_soon_as_it_is_back(world: World) -> None:
    class Away(MemoryTransport):
        is_away = True

        async def publish(self, message: Publication) -> None:
            if self.is_away:
                raise Unavailable("The broker is not connected.")
            await super().publish(message)

    async def tries() -> int:
        return sum(step.state == "RETRY" for step in (await world.north.status("points")).trace)

    road = Away(world.network, NORTH)
    await world.north.stop()
    world.north.start(road)
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    await world.run(60)
    before = await tries()
    for _ in range(20):  # until the next try is about to be 5 s away
        if await tries() == before:
            await world.run(0.5)

    road.is_away = False
    road.reconnected()
    await world.run(1)

    assert world.hub.effects == ["points"]


async def test_a_road_that_crashes_on_one_message_lets_the_others_leave(world: World) -> None:
    class Crashing(MemoryTransport):
        async def publish(self, message: Publication) -> None:
            if message.business_type == BusinessType.REQUEST:
                raise RuntimeError("library")
            await super().publish(message)

    await world.north.stop()
    world.north.start(Crashing(world.network, NORTH))
    await world.north.submit(HUB, "request", BusinessType.REQUEST)
    await world.north.submit(HUB, "points", BusinessType.POINTS)

    await world.run(5)

    assert world.hub.effects == ["points"]
    assert await world.north.state("request") is MessageState.ACCEPTED


async def test_changed_content_fails_at_its_authenticated_sender(world: World) -> None:
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    (message,) = await world.north.store.outbox.claim(urgent=False, limit=1, now=world.clock.now(), lease_s=60)
    whole = world.message(message_id=message.message_id, content=b"points")

    await world.deliver_raw(whole, body=sealer_of(NORTH).seal(whole)[:-1] + b"X")
    await world.run(2)

    status = await world.north.status("points")
    assert (status.state, status.reason) == (MessageState.FAILED, "E-DECRYPT")
    assert world.hub.effects == []


async def test_an_expired_message_is_refused_by_the_receiver_and_given_up_by_the_sender() -> None:
    async with running("north") as world:
        await world.north.submit(HUB, "request", BusinessType.REQUEST, ttl=timedelta(minutes=15))
        await world.run(2)
        await world.clock.advance(15 * 60 + 61)
        await world.run(11)
        status = await world.north.status("request")
        assert (status.state, status.reason) == (MessageState.FAILED, "E-EXPIRED")

        world.start(world.hub)
        await world.run(2)

        assert world.hub.effects == []
        assert await world.north.state("request") is MessageState.FAILED


async def test_a_message_from_the_future_is_refused(world: World) -> None:
    ahead = world.clock.now() + timedelta(seconds=301)
    await world.deliver_raw(world.message(generated=ahead, expires=ahead + timedelta(hours=1)))

    await world.run(2)

    assert world.hub.effects == []
    assert world.hub.endpoint is not None
    assert world.hub.endpoint.status().refused == {"E-CLOCK": 1}


@pytest.mark.parametrize(("seconds_more", "effects"), [(-60, ["document"]), (60, [])])
async def test_a_message_older_than_the_inbox_need_remember_is_refused_whatever_its_expiry_says(
    world: World, seconds_more: int, effects: list[str]
) -> None:
    made = world.clock.now() - timedelta(days=801, seconds=seconds_more)
    await world.deliver_raw(world.message(generated=made, expires=world.clock.now() + timedelta(days=9_999)))

    await world.run(2)

    assert world.hub.effects == effects
    assert world.hub.endpoint is not None
    assert world.hub.endpoint.status().refused == ({} if effects else {"E-EXPIRED": 1})


async def test_a_document_that_cannot_be_made_fails_and_the_others_leave(world: World) -> None:
    world.north.faults["render bad"] = [ValueError("no such row")]
    for document in ("one", "bad", "two"):
        await world.north.submit(HUB, document, BusinessType.POINTS)

    await world.run(2)

    assert sorted(world.hub.effects) == ["one", "two"]
    status = await world.north.status("bad")
    assert (status.state, status.reason) == (MessageState.FAILED, "E-VALIDATION")


async def test_a_message_whose_receiver_has_no_queue_yet_is_sent_when_it_has() -> None:
    world = World()
    world.network = MemoryNetwork(world.clock)
    world.network.provision({HUB: PARTIES[HUB], NORTH: PARTIES[NORTH]}, hub=HUB)
    world.start(world.hub)
    await world.hub.submit(NORTH, "first", BusinessType.ASSETS)
    await world.run(2)
    assert await world.hub.state("first") is MessageState.ACCEPTED

    world.start(world.north)
    await world.run(10)

    assert await world.hub.state("first") is MessageState.RECEIVED
    await world.stop()


async def test_a_lost_confirm_leads_to_a_second_copy_and_still_one_effect(world: World) -> None:
    world.network.faults = Faults(lose_confirm=1.0)
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    await world.run(3)
    world.network.faults = Faults()

    await world.run(20)

    assert world.hub.effects == ["points"]
    assert await world.north.state("points") is MessageState.RECEIVED


async def test_a_message_that_the_broker_confirmed_and_lost_is_sent_again_once_its_receiver_answers(
    world: World,
) -> None:
    world.network.faults = Faults(lose=1.0)
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    await world.run(3)
    world.network.faults = Faults()
    await world.run(50)
    assert (world.hub.effects, await world.north.state("points")) == ([], MessageState.ACCEPTED)

    await world.run(50)

    assert world.hub.effects == ["points"]
    assert await world.north.state("points") is MessageState.RECEIVED


async def test_a_message_whose_acknowledgements_were_lost_is_sent_again_and_has_one_effect(world: World) -> None:
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    while not world.hub.effects:  # noqa: ASYNC110 # until the very turn in which it takes effect
        await asyncio.sleep(0)
    world.network.faults = Faults(lose=1.0)
    await world.run(3)
    world.network.faults = Faults()
    assert await world.north.state("points") is MessageState.ACCEPTED

    await world.run(100)

    assert world.hub.effects == ["points"]
    assert await world.north.state("points") is MessageState.RECEIVED


async def test_a_receiver_that_is_away_finds_one_copy_of_each_message() -> None:
    async with running("north") as world:
        await world.north.submit(HUB, "points", BusinessType.POINTS)
        await pass_time(world.clock, 1800, step_s=2)
        world.start(world.hub)
        await world.run(60)

        assert world.hub.effects == ["points"]
        assert world.hub.endpoint is not None
        assert world.hub.endpoint.status().duplicates == 0


async def test_r31_after_a_volatile_broker_restarts_everything_not_received_is_published_again() -> None:
    async with running("north", volatile=True) as world:
        await world.north.submit(HUB, "points", BusinessType.POINTS)
        await world.run(2)
        world.network.restart()
        assert world.network.idle

        world.start(world.hub)
        await world.run(2)

        assert world.hub.effects == ["points"]
        assert await world.north.state("points") is MessageState.RECEIVED


async def test_r31_urgent_and_bulk_messages_are_published_again_once_each() -> None:
    async with running("north", volatile=True) as world:
        await world.north.submit(HUB, "points", BusinessType.POINTS)
        await world.north.submit(HUB, "stop", BusinessType.UNFORESEEN)
        await world.run(2)
        world.network.restart()
        await world.run(2)

        world.start(world.hub)
        await world.run(2)

        assert sorted(world.hub.effects) == ["points", "stop"]
        assert world.hub.endpoint is not None
        assert world.hub.endpoint.status().duplicates == 0


async def test_r27_an_unforeseen_limit_that_is_not_delivered_within_a_minute_alarms_the_operator() -> None:
    async with running("north") as world:
        await world.north.submit(HUB, "stop", BusinessType.UNFORESEEN)
        await world.run(50)
        assert world.north.alarms == []

        await world.run(30)

        assert set(world.north.alarms) == {"stop"}
        assert await world.north.state("stop") is MessageState.ACCEPTED


async def test_a_connectivity_test_answers_with_the_time_of_each_hop_and_reaches_no_business_side(world: World) -> None:
    assert world.north.endpoint is not None

    task = asyncio.create_task(world.north.endpoint.ping(HUB))
    await world.run(1)
    ping = await task

    assert 0 <= ping.broker_ms <= ping.receiver_ms
    assert world.hub.effects == []


async def test_a_connectivity_test_names_the_hop_that_does_not_answer() -> None:
    async with running("north") as world:
        assert world.north.endpoint is not None
        away = asyncio.create_task(world.north.endpoint.ping(HUB))
        forbidden = asyncio.create_task(world.north.endpoint.ping(ALPHA))
        await world.run(31)

        with pytest.raises(PingFailed, match="did not answer"):
            await away
        with pytest.raises(PingFailed, match="broker did not take"):
            await forbidden


# What an endpoint says of itself.


async def test_an_endpoint_counts_what_waits_and_knows_the_age_of_the_oldest() -> None:
    async with running("north") as world:
        await world.north.submit(HUB, "points", BusinessType.POINTS)
        await world.run(30)
        await world.north.submit(HUB, "more", BusinessType.POINTS)
        await world.run(60)

        assert world.north.endpoint is not None
        status = world.north.endpoint.status()
        assert status.waiting_to_deliver == 2
        assert status.oldest_waiting_s == pytest.approx(90, abs=1)

        world.start(world.hub)
        await world.run(12)

        status = world.north.endpoint.status()
        assert (status.waiting_to_deliver, status.oldest_waiting_s, status.sent) == (0, 0, 2)
        assert status.waiting_to_receive == 0


async def test_a_message_that_fails_is_counted_by_its_reason_at_both_ends(world: World) -> None:
    world.hub.faults["receive points"] = [Forbidden("not yours")]
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    await world.run(2)

    assert world.north.endpoint is not None
    assert world.hub.endpoint is not None
    assert world.north.endpoint.status().failed == {"E-BA-REJECTED": 1}
    assert world.hub.endpoint.status().refused == {"E-BA-REJECTED": 1}


async def test_a_message_that_is_tried_again_is_counted_each_time(world: World) -> None:
    world.network.faults.drop = 1.0
    await world.north.submit(HUB, "points", BusinessType.POINTS)
    await world.run(5)

    assert world.north.endpoint is not None
    assert world.north.endpoint.status().retried > 1


async def test_an_endpoint_without_its_broker_takes_no_work_and_says_so() -> None:
    async with running("hub") as world:
        road = world.network.attach(NORTH)
        endpoint = world.north.start(road)
        await world.run()
        assert (endpoint.status().is_connected, endpoint.status().trouble) == (True, None)

        await road.close()

        status = endpoint.status()
        assert (status.is_connected, status.trouble) == (False, "The broker is not connected.")
