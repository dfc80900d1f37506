import resource
import subprocess
import sys

NARROW = """
import resource
from hub.web.sockets import allow_many_sockets
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))
allow_many_sockets()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_process_may_hold_as_many_sockets_as_the_system_lets_it() -> None:
    told = subprocess.run([sys.executable, "-c", NARROW], capture_output=True, text=True, check=True).stdout

    assert told.split() == ["256", "256"]


def test_the_tests_themselves_have_room_for_thousands() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert soft == hard
