"""The hub as one process: the only place where its parts are put together (floor 7; ARCHITECTURE 9).

`Hub` is wired from adapters that its owner opened, so that the demo, the tests and production run the same code.
`serve` opens the real ones as the settings say.
"""

from hub.app.pages import operator_pages
from hub.app.parts import Store, beat_mrid, brain_of, hub_id, letterhead, memory_store, projecting_brain, salts_of
from hub.app.process import maintaining, open_store, operating, reading, serve
from hub.app.renewal import renew
from hub.app.running import Hub
from hub.process import database

__all__ = [
    "Hub",
    "Store",
    "beat_mrid",
    "brain_of",
    "database",
    "hub_id",
    "letterhead",
    "maintaining",
    "memory_store",
    "open_store",
    "operating",
    "operator_pages",
    "projecting_brain",
    "reading",
    "renew",
    "salts_of",
    "serve",
]
