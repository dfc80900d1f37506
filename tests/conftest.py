"""What all tests share: plugins of the fixtures, the reference material, and how hard properties are tried."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hub.web.sockets import allow_many_sockets
from tests.thoroughness import examples

FIXTURES = ("tests.fixtures_broker", "tests.fixtures_store", "tests.fixtures_system")
pytest_plugins = [name for name in FIXTURES if find_spec(name)]

# Machines differ in speed: a slow example is no failure, so there is no deadline.
settings.register_profile("tps", deadline=None, max_examples=examples(50), suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tps")

allow_many_sockets()

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the checkout: standards, samples, design. It may not be redistributed."""
    folder = Path(os.environ.get("TPS_TEST_SHARED", ROOT.parent / "shared"))
    if not (folder / "standards").is_dir():
        pytest.skip(f"no reference material at {folder}; name its folder in TPS_TEST_SHARED")
    return folder
