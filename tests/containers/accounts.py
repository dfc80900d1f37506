"""What everybody must have been told of a load and was told, in words of the feeds: nothing lost, nothing doubled."""

import asyncio
import time
from collections import Counter
from typing import Any, Final

from gateways.demo.cast import AGRS, ASSETS, DSOS
from tests.fault.clients import Clients
from tests.fault.load import Load, assets_in, limits_in, plans_in

SETTLED_WITHIN_S: Final = 180.0
Account = dict[str, Counter[Any]]
"""What each participant was told, by participant and feed; limits, plans and assets have keys of their own."""


async def told_until_now(clients: Clients) -> Account:
    """Everything everybody was told until now."""
    told: Account = {f"{agr.name} limits": limits_in(await clients.feed(agr, "/limits/changes")) for agr in AGRS}
    for dso in DSOS:
        told[f"{dso.name} plans"] = plans_in(await clients.feed(dso, "/schedules/changes"))
        told[f"{dso.name} assets"] = assets_in(await clients.feed(dso, "/assets/changes"))
    return told


def _due(load: Load) -> Account:
    """What everybody must be told of the load, the assets that the sample day knows left out."""
    known = {asset.id for assets in ASSETS.values() for asset in assets}
    due: Account = {f"{name} limits": account for name, account in load.limits.items()}
    due |= {f"{name} plans": account for name, account in load.plans.items()}
    for name, account in load.assets.items():
        due[f"{name} assets"] = Counter({asset: times for asset, times in account.items() if asset not in known})
    return due


async def settled(clients: Clients, load: Load, before: Account) -> dict[str, list[str]]:
    """What is still owed when all is quiet, or patience is over."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        owed = await _owed(clients, load, before)
        if not owed or time.monotonic() > deadline:
            return owed
        await asyncio.sleep(1.0)


async def _owed(clients: Clients, load: Load, before: Account) -> dict[str, list[str]]:
    """What participants must have been told since then and were not, or were told twice."""
    due, told = _due(load), await told_until_now(clients)
    gaps = []
    for agr in AGRS:
        numbers = [item["sequence"] for item in await clients.feed(agr, "/limits/changes")]
        gaps += [agr.name] if numbers != list(range(1, len(numbers) + 1)) else []
    new = {name: told[name] - before[name] for name in told}
    owed = {
        "not accepted": [repr(each) for each in clients.judged if each.status not in {200, 201}],
        "lost": [f"{name}: {item}" for name in due for item in due[name] - new[name]],
        "doubled": [
            f"{name}: {item}" for name in due for item in new[name] if new[name][item] > max(1, due[name][item])
        ],
        "gaps": gaps,
    }
    return {what: found for what, found in owed.items() if found}
