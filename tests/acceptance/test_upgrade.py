"""A database migrates while the version before works on it: nobody notices (NF1, docs/decisions/012)."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateways.demo.cast import PLAYERS
from hub.store.migrate import Migration, migrate, migrations
from tests.acceptance.platform import Json, Platform
from tests.acceptance.test_restart import DAY, settled, what_all_see
from tests.fixtures_system import Grounds

pytestmark = pytest.mark.slow


async def test_a_day_whose_databases_migrate_at_noon_ends_as_a_day_without(grounds: Grounds, root: Path) -> None:
    sql = (root / "docker" / "test" / "next.sql").read_text("utf-8")
    newer = [*migrations(), Migration(9999, "9999_next.sql", sql)]
    async with grounds("postgres") as platform:
        undisturbed = await _played(platform)

    async with grounds("postgres") as platform:
        disturbed = await _played(platform, newer)

    assert disturbed == undisturbed
    assert undisturbed["alpha limits"]


async def _played(platform: Platform, newer: Sequence[Migration] = ()) -> Json:
    """What everybody reads in the end; with `newer` all databases migrate in the middle."""
    await platform.register_all()
    for number, step in enumerate(DAY):
        if newer and number == len(DAY) // 2:
            applied = [await migrate(url, known=newer) for url in platform.urls.values()]
            assert applied == [["9999_next.sql"]] * (1 + len(PLAYERS))
        await step(platform)
        await settled(platform)
    return await what_all_see(platform)
