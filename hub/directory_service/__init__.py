"""The Component Directory as a process: the same small machine a third time, log, desk, rows and doors (floor 7).

`Directory` is wired from a store and an authority that its owner opened, so that the platform's bootstrap, the demo,
the tests and production run the same code. `serve` opens the real ones as the settings say.
"""

from hub.directory_service.authority import Authority, make_authority, open_authority
from hub.directory_service.directory import Directory
from hub.directory_service.reading import SignedCopy

__all__ = ["Authority", "Directory", "SignedCopy", "make_authority", "open_authority"]
