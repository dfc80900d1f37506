"""Room for many connections: thousands of clients may wait at one gateway, each on a socket of its own (floor 7)."""

import resource


def allow_many_sockets() -> None:
    """Raise this process' limit of open files as far as the system lets it; the usual 1024 are soon used up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
