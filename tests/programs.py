"""Programs of the system that tests need: found, or installed by root like the broker, or missed for a reason."""

import shutil
from functools import cache

from gateways.demo.rabbitmq import installed_afresh
from hub.errors import Unavailable
from tests.fixtures_broker import unavailable


def need(program: str) -> None:
    """Have this program, whose package is called the same; else the test is skipped, on a build server it fails."""
    if reason := _missing(program):
        unavailable(reason)


@cache
def _missing(program: str) -> str:
    """Why there is no such program; empty when there is one."""
    if shutil.which(program):
        return ""
    try:
        installed_afresh(program)
    except Unavailable as error:
        return f"{program} is not installed, and this test needs it. {error}"
    return "" if shutil.which(program) else f"The package {program} is installed, and there is no such program."
