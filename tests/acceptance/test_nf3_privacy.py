"""NF3: no participant SHALL learn about another through the platform (R36-R38).

Three proofs. Words: everybody has words nobody else may read, and all that anybody sees is searched for them.
Non-interference: a history is played twice, the second time without what others do; what a participant sees is the
same, byte for byte. And both are shown to be able to fail: leaks planted on purpose are caught.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from documents.model import UnavailabilityMarketDocument
from documents.values import Identifier, Reason
from gateways.demo.cast import ASSETS, BATTERY, CHP, COOLER, FLEET, HEAT_PUMP, N1, NORTH, PLANT, PLAYERS, POINTS, Player
from gateways.inbound import Inbound
from hub import app, compose
from hub.aggregates.fairness import Weighted, rated_power
from hub.app import parts
from hub.brain import PROJECTIONS, HubBrain
from hub.ports import Recorded, Row
from hub.rows import DSO_ASSETS
from tests.acceptance.platform import VERDICT_S, Json, Platform, registration, shares
from tests.acceptance.test_f6_foreseen_limits import limit
from tests.acceptance.test_f7_unforeseen_limits import order
from tests.acceptance.test_f8_schedules import schedule
from tests.acceptance.views import logs_by_participant, make_ids_repeatable, measured, shown, whole_view

pytestmark = pytest.mark.slow

Step = tuple[str, Callable[[Platform], Awaitable[Any]]]


class Leak(AssertionError):
    """A participant sees what it may not."""


# The day. A step is tagged with whose doing it is and, where that matters, on whose grid.


def _points(name: str) -> Step:
    points = [{"id": point} for point in POINTS[name]]
    return name, lambda p: p.clients[name].call("PUT", "/connection-points", {"connectionPoints": points})


def _assets(name: str, *assets: Any, grid: str) -> Step:
    body = {"assets": [registration(asset) for asset in assets]}
    return f"{name} {grid}", lambda p: p.clients[name].call("PUT", "/assets", body)


def _write(tag: str, method: str, path: str, body: Callable[[Platform], Json] = lambda _: None) -> Step:
    name = tag.partition(" ")[0]
    return tag, lambda p: p.clients[name].call(method, path, body(p), wait=VERDICT_S)


def _plan(name: str, *plans: tuple[str, list[int]], grid: str) -> Step:
    mrid = f"{name}-plan-{grid}"
    return _write(f"{name} {grid}", "POST", "/schedules", lambda p: {**schedule(p, *plans), "mrid": mrid})


def _announce(name: str, mrid: str, watts: int, assets: list[str], *, to: str) -> Step:
    text = f"{name}-secret"
    return _write(
        f"{name} {to}",
        "POST",
        "/limits/foreseen",
        lambda p: {**limit(p, watts, assets=assets), "mrid": mrid, "text": text},
    )


SETTING: tuple[Step, ...] = (
    _points("north"),
    _points("south"),
    _assets("alpha", HEAT_PUMP, CHP, grid="north"),
    _assets("bravo", BATTERY, grid="north"),
    _assets("bravo", FLEET, grid="south"),
    _assets("charlie", PLANT, grid="south"),
    _assets("charlie", COOLER, grid="north"),
)
OWN: tuple[Step, ...] = (
    _plan("alpha", (HEAT_PUMP.id, [-312_345]), (CHP.id, [2_123_456]), grid="north"),
    _plan("bravo", (BATTERY.id, [712_347]), grid="north"),
    _plan("bravo", (FLEET.id, [-612_343]), grid="south"),
    _plan("charlie", (PLANT.id, [2_812_341]), grid="south"),
    _announce("north", "north-limit-1", 411_117, [HEAT_PUMP.id], to="alpha"),
    _announce("north", "north-limit-2", 922_227, [BATTERY.id], to="bravo"),
    _announce("south", "south-limit-1", 533_337, [FLEET.id], to="bravo"),
    _write(
        "south bravo",
        "POST",
        "/limits/unforeseen",
        lambda p: {**order(p, (FLEET.id, "STOP")), "mrid": "south-order", "text": "south-secret"},
    ),
    _write("alpha north", "PATCH", f"/assets/{HEAT_PUMP.id}", lambda _: {"maxConsumption": 487_653}),
    _write("bravo north", "PATCH", f"/assets/{BATTERY.id}", lambda _: {"maxConsumption": 987_657}),
    _write("bravo south", "DELETE", "/schedules/bravo-plan-south"),
    _write("alpha north", "POST", "/schedules", lambda p: schedule(p, (HEAT_PUMP.id, [-9_999_999]), start_h=5)),
    _write("charlie south", "POST", "/schedules", lambda p: schedule(p, (PLANT.id, [-1]), start_h=5)),
    _write("alpha north", "POST", "/limits/request"),
    _write("bravo", "POST", "/limits/request"),
    _write("north", "POST", "/assets/request"),
    _write("south", "POST", "/schedules/request"),
    _write("north bravo", "DELETE", "/limits/foreseen/north-limit-2"),
    _write("bravo north", "DELETE", f"/assets/{BATTERY.id}"),
    _write(
        "charlie north", "POST", "/schedules", lambda p: {**schedule(p, (COOLER.id, [-1_234])), "mrid": "charlie-plan"}
    ),
)
SHARED: tuple[Step, ...] = (
    _announce("north", "north-limit-3", 655_551, [HEAT_PUMP.id, COOLER.id], to="alpha charlie"),
    _write(
        "north alpha charlie",
        "PUT",
        "/limits/foreseen/north-limit-3",
        lambda p: {**limit(p, 355_553, assets=[HEAT_PUMP.id, COOLER.id]), "text": "north-secret"},
    ),
    # R5, the one stated exception: what another holds is refused, in words that do not name the holder.
    _write("bravo", "PUT", "/assets", lambda _: {"assets": [registration(HEAT_PUMP)]}),
    _write("south", "PUT", f"/connection-points/{N1}", lambda _: {}),
)


async def play(platform: Platform, steps: Sequence[Step], *, without: Callable[[str], bool] = lambda _: False) -> None:
    """Play the steps at their times; what is left out leaves its time empty."""
    for tag, step in steps:
        if not without(tag):
            await step(platform)
        await platform.quiet()
        await platform.pass_time(3)


# Words: who may read what.

POWERS = {
    "alpha": ["312345", "2123456", "2.123456", "487653", "411117"],
    "bravo": ["712347", "612343", "987657", "922227", "533337"],
    "charlie": ["2812341", "2.812341"],
}
"""Digits of plans, ratings and limits that are an aggregator's own."""


def words_of(player: Player) -> list[str]:
    """What only this participant, and the platform's operator, may read."""
    name = player.name
    if player.role == "DSO":
        # Points are named by the AGRs whose assets hang there: they are judged pair by pair.
        numbers = {"north": ("655551", "0.655551", "355553", "0.355553"), "south": ()}[name]
        return [player.id, f"{name}-secret", f"{name}-limit", f"{name}-order", *numbers]
    return [player.id, f"{name}-plan", *(asset.name for asset in ASSETS[name])]


def forbidden(reader: Player, other: Player) -> list[str]:
    """The words of `other` that `reader` may not read."""
    words = words_of(other)
    if reader.role == other.role == "DSO":
        words += POINTS[other.name]
        words += [a.id for assets in ASSETS.values() for a in assets if a.point in POINTS[other.name]]
    elif reader.role != "DSO" and other.role != "DSO":
        words += [asset.id for asset in ASSETS[other.name]]
        words += POWERS[other.name]
    elif other.role == "DSO":
        mine = {asset.point for asset in ASSETS[reader.name]}
        words += [point for point in POINTS[other.name] if point not in mine]
        words += [a.id for n, assets in ASSETS.items() for a in assets if n != reader.name]
    return words


async def check_words(platform: Platform, logs: Any) -> None:
    """Raise Leak when anybody sees a word of somebody else's."""
    for reader in PLAYERS:
        client = platform.clients[reader.name]
        view = await whole_view(platform, client, logs) + await measured(platform, client)
        for other in PLAYERS:
            if other == reader:
                continue
            for word in forbidden(reader, other):
                # What a client asked for itself comes back in the refusal: bravo and south tried in vain (R5).
                asked = {"bravo": (HEAT_PUMP.id, HEAT_PUMP.name), "south": (N1,)}.get(reader.name, ())
                found = [line for line in view if word in line and word not in asked]
                if found:
                    raise Leak(f"{reader.name} reads {word!r} of {other.name}: {found[0][:2000]}")


async def test_nobody_reads_a_word_of_anybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """R38: AGR/AGR, DSO/DSO, AGR/DSO both ways, over bodies, ids, headers, errors, documents, logs, metrics."""
    make_ids_repeatable(monkeypatch)
    with logs_by_participant() as logs:
        async with Platform.running() as platform:
            await play(platform, (*SETTING, *OWN, *SHARED))

            await check_words(platform, logs)

            assert all(logs[player.name] for player in PLAYERS), "every gateway's lines were looked at"


async def test_logs_hold_no_names_texts_or_powers(monkeypatch: pytest.MonkeyPatch) -> None:
    """ARCHITECTURE 8: logs name the acting participant, and never a payload; metrics name nobody."""
    make_ids_repeatable(monkeypatch)
    secrets = [a.name for assets in ASSETS.values() for a in assets] + ["-secret", "312345", "712347", "655551"]
    with logs_by_participant() as logs:
        async with Platform.running() as platform:
            await play(platform, (*SETTING, *OWN, *SHARED))

            for whose, lines in logs.items():
                for secret in secrets:
                    assert [line for line in lines if secret in line] == [], (whose, secret)
            measures = " ".join(f"{measure.name} {measure.help}" for measure in platform.hub.measures())
            for player in PLAYERS:
                assert player.id not in measures
                assert player.name not in measures.lower()


# Non-interference: the same, whatever others do.


async def views(
    steps: Sequence[Step], names: Sequence[str], *, without: Callable[[str], bool] = lambda _: False
) -> dict[str, list[str]]:
    """What these participants see of a day."""
    with pytest.MonkeyPatch.context() as monkeypatch, logs_by_participant() as logs:
        make_ids_repeatable(monkeypatch)
        async with Platform.running() as platform:
            await play(platform, steps, without=without)
            return {name: await whole_view(platform, platform.clients[name], logs) for name in names}


async def check_aggregator_is_undisturbed() -> None:
    """Raise Leak when alpha sees a difference without bravo, charlie, and what DSOs do with those."""
    days = (*SETTING, *OWN)
    alone = await views(days, ["alpha"], without=_others_than_alpha)
    together = await views(days, ["alpha"])
    _compare("alpha", alone["alpha"], together["alpha"])


async def check_grid_operator_is_undisturbed() -> None:
    """Raise Leak when north sees a difference without south and what is done on south's grid."""
    days = (*SETTING, *OWN)
    alone = await views(days, ["north"], without=lambda tag: "south" in tag)
    together = await views(days, ["north"])
    _compare("north", alone["north"], together["north"])


def _others_than_alpha(tag: str) -> bool:
    words = tag.split()
    return words[0] in {"bravo", "charlie", "south"} or words[-1] in {"bravo", "charlie"}


def _compare(name: str, alone: list[str], together: list[str]) -> None:
    for number, (one, other) in enumerate(zip(alone, together, strict=False)):
        if one != other:
            raise Leak(f"{name} sees a difference in line {number}: alone {one[:1500]!r}; with others {other[:1500]!r}")
    if len(alone) != len(together):
        raise Leak(f"{name} sees {len(alone)} lines alone and {len(together)} with others")


async def test_an_aggregator_sees_the_same_whatever_others_do() -> None:
    """R36: REST answers and headers, documents, cursors and logs are byte-identical where no limit is shared."""
    await check_aggregator_is_undisturbed()


async def test_a_grid_operator_sees_the_same_whatever_others_do() -> None:
    """R36: likewise of other DSOs."""
    await check_grid_operator_is_undisturbed()


async def test_a_repeated_history_gives_the_same_views() -> None:
    """The proof is worth something only if nothing else makes views differ."""
    days = (*SETTING, *OWN, *SHARED)
    names = [player.name for player in PLAYERS]

    first, second = await views(days, names), await views(days, names)

    for name in names:
        _compare(name, first[name], second[name])


async def test_where_a_limit_is_shared_only_quantities_may_differ() -> None:
    """R36: charlie's cold store is larger in the second history; alpha's copy differs in its quantities alone."""
    bigger = ("charlie", lambda p: p.charlie.call("PATCH", f"/assets/{COOLER.id}", {"maxConsumption": 700_000}))
    nothing = ("nobody", lambda p: p.quiet())

    one = await views((*SETTING, nothing, *SHARED[:2]), ["alpha"])
    other = await views((*SETTING, bigger, *SHARED[:2]), ["alpha"])

    assert one["alpha"] != other["alpha"]
    _compare("alpha", _without_quantities(one["alpha"]), _without_quantities(other["alpha"]))


async def test_two_totals_that_give_the_same_share_look_the_same() -> None:
    """R37: the total cannot be worked out from one's own copy: different totals, one view."""
    small = (
        *SETTING,
        ("nobody", lambda p: p.quiet()),
        _announce("north", "m", 600_000, [HEAT_PUMP.id, BATTERY.id], to="x"),
    )
    large = (
        *SETTING,
        ("bravo", lambda p: p.bravo.call("PATCH", f"/assets/{BATTERY.id}", {"maxConsumption": 2_000_000})),
        _announce("north", "m", 1_000_000, [HEAT_PUMP.id, BATTERY.id], to="x"),
    )

    one, other = await views(small, ["alpha"]), await views(large, ["alpha"])

    _compare("alpha", one["alpha"], other["alpha"])
    assert any("200000" in line for line in one["alpha"])


async def test_whoever_reconstructs_a_total_from_an_explanation_is_left_with_all_of_them(grid: Platform) -> None:
    """R37: for whatever the others may be rated there are totals that explain alpha's share in the same words."""
    totals = (700_000, 100_001, 345_678)
    rest = BATTERY.consumes + COOLER.consumes
    body = {
        "direction": "consumption",
        "series": [
            {
                "assets": [HEAT_PUMP.id, BATTERY.id, COOLER.id],
                "periods": [grid.period(hour, hour + 1, total) for hour, total in enumerate(totals)],
            }
        ],
    }
    await grid.north.write("POST", "/limits/foreseen", body)
    (told,) = await grid.alpha.items("/limits/changes", timeout=30)

    explained = await grid.alpha.get(f"/limits/{told['mrid']}/explanation")

    (share,) = explained["shares"]
    own = shares(told)[HEAT_PUMP.id]
    assert (share["lowest"], share["highest"], share["rated"]) == (min(own), max(own), HEAT_PUMP.consumes)
    assert not _numbers(explained) & {*totals, rest, rest + HEAT_PUMP.consumes}
    for others in range(1, 4 * rest, 99_991):
        assert all(_totals_behind(watts, others) for watts in own), f"{others} W of others would be ruled out"


def _numbers(body: Json) -> set[int]:
    """Every number in a body, also within texts but for the ids."""
    return {int(number) for number in re.findall(r"(?<![0-9a-f])[0-9]+(?![0-9a-f])", str(body))}


def _totals_behind(share: int, others: int) -> list[int]:
    """The totals that give alpha's asset this share when others are rated so many watts together."""
    own, near = Identifier(HEAT_PUMP.id), share * (HEAT_PUMP.consumes + others) // HEAT_PUMP.consumes
    assets = [
        Weighted(own, Identifier("alpha"), HEAT_PUMP.consumes),
        Weighted(Identifier("other"), Identifier("bravo"), others),
    ]
    return [total for total in range(max(0, near - 3), near + 4) if rated_power(total, assets)[own] == share]


async def test_a_copy_does_not_tell_whether_the_limit_was_shared(grid: Platform) -> None:
    """R18, R37: one's own limit and a share of a total have the same form."""
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 200_000, assets=[HEAT_PUMP.id]))
    (own,) = await grid.alpha.items("/limits/changes", timeout=30)
    await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000))
    (shared,) = await grid.alpha.items("/limits/changes", timeout=30)

    assert shares(own) == shares(shared) == {HEAT_PUMP.id: [200_000]}
    apart = {"mrid", "sequence"}
    assert {n: v for n, v in own.items() if n not in apart} == {n: v for n, v in shared.items() if n not in apart}
    one, other = [d for d in grid.documents("alpha") if isinstance(d, UnavailabilityMarketDocument)]
    assert replace(one, mrid="") == replace(other, mrid="")


async def test_foreign_and_unknown_are_answered_alike(grid: Platform) -> None:
    """R5, R35: status, headers and words; only the id that was asked for differs."""
    plan = (await grid.bravo.write("POST", "/schedules", schedule(grid, (BATTERY.id, [1]))))["mrid"]
    sent = (await grid.north.write("POST", "/limits/foreseen", limit(grid, 600_000)))["mrid"]
    (of_bravo,) = await grid.bravo.items("/limits/changes", timeout=30)
    nobodys = "0" * len(plan)

    for client, path, foreign, unknown in (
        (grid.alpha, "/assets/{}", BATTERY.id, "571313100000000089"),
        (grid.alpha, "/schedules/{}", plan, nobodys),
        (grid.alpha, "/limits/{}", of_bravo["mrid"], nobodys),
        (grid.alpha, "/messages/{}", plan, nobodys),
        (grid.south, "/limits/foreseen/{}", sent, nobodys),
        (grid.south, "/connection-points/{}", N1, "571313199000000052"),
        (grid.south, "/messages/{}", sent, nobodys),
        (grid.south, "/assets?connectionPoint={}", N1, "571313199000000052"),
        (grid.south, "/schedules?asset={}", BATTERY.id, "571313100000000089"),
    ):
        one, other = [await client.call("GET", path.format(id_)) for id_ in (foreign, unknown)]

        assert [line.replace(foreign, "X") for line in shown(one)] == [
            line.replace(unknown, "X") for line in shown(other)
        ]


async def test_a_new_operator_learns_nothing_of_the_plans_before(grid: Platform) -> None:
    """R6, R23, R36: plans of the operator before, also those that are over, are never spoken of to the next."""
    old = await grid.submit_plan(grid.alpha, HEAT_PUMP, -1, mrid="alphas-old-plan")
    await grid.pass_time(3 * 3600)
    await grid.alpha.write("DELETE", f"/assets/{HEAT_PUMP.id}")
    await grid.bravo.write("PUT", "/assets", {"assets": [registration(HEAT_PUMP)]})

    body = schedule(grid, (HEAT_PUMP.id, [-2] * 6), start_h=-4)
    answer = await grid.bravo.call("POST", "/schedules", body, wait=60)

    assert old["mrid"] not in answer.content.decode()
    assert answer.status == 201, answer


async def test_a_token_opens_one_gateway_only(grid: Platform) -> None:
    """NF3: every gateway has its own tokens; a wrong one and none at all are refused alike."""
    answers = [
        await grid.alpha.call("GET", "/assets", token=token)
        for token in (grid.bravo.token, "nonsense", grid.north.token)
    ]

    assert {answer.status for answer in answers} == {401}
    assert len({tuple(shown(answer)) for answer in answers}) == 1


async def test_assets_are_pushed_without_a_sign_of_whose_change_it_was(platform: Platform) -> None:
    """R12: the push of a beat is the same whoever of two aggregators registered the asset, and in whatever order."""
    await platform.register_points()
    await platform.alpha.write("PUT", "/assets", {"assets": [registration(COOLER)]})
    await platform.bravo.write("PUT", "/assets", {"assets": [registration(HEAT_PUMP)]})
    await platform.beat()
    pushes = [platform.documents("north", business_type="TPS-ASSETS")[-1]]
    async with Platform.running() as other:
        await other.register_points()
        await other.charlie.write("PUT", "/assets", {"assets": [registration(HEAT_PUMP), registration(COOLER)]})
        await other.beat()
        pushes.append(other.documents("north", business_type="TPS-ASSETS")[-1])

    one, two = (replace(push, created=push.created, mrid="") for push in pushes)
    assert abs(one.created - two.created) <= timedelta(seconds=5)
    assert replace(one, created=two.created) == two


# Planted leaks: both proofs can fail.


def _whisper_the_dso(monkeypatch: pytest.MonkeyPatch) -> None:
    """The aggregator's copy says whose limit it is."""
    honest = compose.limit

    def leaking(*args: Any) -> UnavailabilityMarketDocument:
        return replace(honest(*args), reasons=(Reason("B19", f"limit of {NORTH.id}"),))

    monkeypatch.setattr(compose, "limit", leaking)


def _name_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The asset list names the operator as owner."""
    honest = compose.asset_changes
    alpha = Identifier("A01:" + next(player.id for player in PLAYERS if player.name == "alpha"))

    def leaking(*args: Any) -> Any:
        document = honest(*args)
        return replace(document, series=tuple(replace(series, owner=alpha) for series in document.series))

    monkeypatch.setattr(compose, "asset_changes", leaking)


def _name_the_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal tells who holds what is asked for (R5)."""
    honest = compose.acknowledgement
    alpha = next(player.id for player in PLAYERS if player.name == "alpha")

    def leaking(*args: Any) -> Any:
        answer = honest(*args)
        told = tuple(replace(s, reasons=(*s.reasons, Reason("A50", f"held by {alpha}"))) for s in answer.rejected)
        return replace(answer, rejected=told)

    monkeypatch.setattr(compose, "acknowledgement", leaking)


def _log_the_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway's log keeps a word of another participant."""
    honest = Inbound.receive

    async def leaking(self: Inbound, incoming: Any) -> None:
        await honest(self, incoming)
        from gateways import inbound  # noqa: PLC0415 # the module whose log is used

        inbound.log.info("document.kept", text="north-secret")

    monkeypatch.setattr(Inbound, "receive", leaking)


def _mix_the_audiences(monkeypatch: pytest.MonkeyPatch) -> None:
    """A projection addresses every row for one DSO to the other as well."""

    def leaking(recorded: Recorded[Any], state: Any) -> list[Row]:
        rows = [row for projection in PROJECTIONS for row in projection(recorded, state) if row.view == DSO_ASSETS]
        south = Identifier("A10:5790000000012")
        return [replace(row, audience=south) for row in rows if row.audience != south]

    monkeypatch.setattr(parts, "HubBrain", partial(HubBrain, projections=(*PROJECTIONS, leaking)))


@pytest.mark.parametrize(
    "plant", [_whisper_the_dso, _name_the_operator, _name_the_holder, _log_the_payload, _mix_the_audiences]
)
async def test_a_planted_leak_of_words_is_caught(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """R38: the search for words finds what was planted."""
    make_ids_repeatable(monkeypatch)
    plant(monkeypatch)
    with logs_by_participant() as logs:
        async with Platform.running() as platform:
            await play(platform, (*SETTING, *OWN, *SHARED))

            with pytest.raises(Leak):
                await check_words(platform, logs)


def _tell_the_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """The aggregator's copy carries the place of its event in the common log."""
    honest = compose.limit

    def leaking(row: Any, cover: Any, head: Any) -> UnavailabilityMarketDocument:
        return replace(honest(row, cover, head), reasons=(Reason("B19", f"event {_position()}"),))

    def _position() -> int:
        return int(_HUBS[-1].desk.position)

    monkeypatch.setattr(compose, "limit", leaking)


def _answer_later_when_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledgement's time depends on how much the hub has done for others."""
    honest = compose.acknowledgement

    def leaking(answer: Any, cover: Any, head: Any) -> Any:
        busy = timedelta(seconds=_HUBS[-1].desk.commits)
        document = honest(answer, cover, head)
        return replace(document, created=document.created + busy)

    monkeypatch.setattr(compose, "acknowledgement", leaking)


_HUBS: list[Any] = []
"""Hubs as they are built, for leaks that need to look inside."""


@pytest.mark.parametrize("plant", [_tell_the_position, _answer_later_when_busy])
async def test_a_planted_interference_is_caught(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """R36: the comparison of histories finds counts and times that depend on others."""
    honest = app.Hub.__init__

    def watched(self: Any, *args: Any, **options: Any) -> None:
        honest(self, *args, **options)
        _HUBS.append(self)

    monkeypatch.setattr(app.Hub, "__init__", watched)
    plant(monkeypatch)

    with pytest.raises(Leak):
        await check_aggregator_is_undisturbed()


def _without_quantities(lines: list[str]) -> list[str]:
    """Lines with every number of watts, and what is counted in bytes because of it, blanked."""
    blanked = [re.sub(r'"(quantity|lowest|highest)":-?\d+', r'"\1":0', line) for line in lines]
    blanked = [re.sub(r'"ratio":"\d+/', '"ratio":"0/', line) for line in blanked]
    blanked = [re.sub(r"<quantity>[^<]*</quantity>", "<quantity/>", line) for line in blanked]
    blanked = [re.sub(r"Content-Length: \d+", "Content-Length", line) for line in blanked]
    return [re.sub(r" \d+$", "", line) for line in blanked]
