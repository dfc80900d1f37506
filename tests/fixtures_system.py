"""The whole platform for acceptance tests: fresh for each test, in memory unless the test asks for real ground."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec

import pytest
import pytest_asyncio

from tests.acceptance import platform as stage
from tests.acceptance import roads
from tests.acceptance.platform import Client, Ground, Platform
from tests.fixtures_store import DatabaseUrl

if find_spec("tests.raml_observer"):
    from tests import raml_observer

    stage.WITNESSES.append(raml_observer.witness)

Grounds = Callable[[Ground], AbstractAsyncContextManager[Platform]]


@pytest_asyncio.fixture(scope="session", autouse=True)
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[roads.Site]:
    """The founded platform that stories over a real broker are played on; nothing is founded before one is."""
    founded = roads.Site(tmp_path_factory.mktemp("site"))
    roads.SITES.append(founded)
    yield founded
    roads.SITES.remove(founded)
    await founded.close()


@pytest_asyncio.fixture
async def platform() -> AsyncIterator[Platform]:
    """A hub and the gateways of the cast; nothing is registered yet."""
    async with Platform.running() as running:
        yield running


@pytest_asyncio.fixture
async def grid(platform: Platform) -> Platform:
    """The platform with every point and asset of the cast registered, and every list delivered."""
    await platform.register_all()
    return platform


@pytest.fixture
def grounds(database_url: DatabaseUrl) -> Grounds:
    """Starts a platform on a ground: twins in memory, the real AMQP client, real databases as well."""
    return lambda ground: Platform.running(ground=ground, databases=database_url)


@pytest.fixture
def north(platform: Platform) -> Client:
    """A DSO's systems."""
    return platform.north


@pytest.fixture
def south(platform: Platform) -> Client:
    """Another DSO's systems."""
    return platform.south


@pytest.fixture
def alpha(platform: Platform) -> Client:
    """An aggregator's systems."""
    return platform.alpha


@pytest.fixture
def bravo(platform: Platform) -> Client:
    """Another aggregator's systems."""
    return platform.bravo


@pytest.fixture
def charlie(platform: Platform) -> Client:
    """The systems of a balance responsible party that operates assets itself."""
    return platform.charlie
