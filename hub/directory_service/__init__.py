"""The Component Directory as a process: the same small machine a third time, log, desk, rows and doors (floor 7).

`Directory` is wired from a store and an authority that its owner opened, so that the platform's bootstrap, the demo,
the tests and production run the same code. `serve` opens the real ones as the settings say. In one process:

    authority = make_authority(folder, "Demo", now=clock.now())            # once; later: open_authority(folder)
    directory = Directory(code, store=store, authority=authority)
    async with directory.running(), serving(directory, settings) as url:   # a component of itself, and listening
        await directory.enrol(broker_folder, broker_code, Party.BROKER, contact, by="init", url=url)
        await directory.configure(broker_code, broker_configuration)       # the broker first: paths lead over it
        await directory.enrol(hub_folder, hub_code, Party.HUB, contact, by="init", url=url)
        await directory.configure(hub_code, hub_configuration)
        await provision(management, await directory.registered())          # hub.mades.provision
        client = client_in(hub_folder, clock=clock, jitter=...)            # hub.mades.directory_client
"""

from hub.directory_service.authority import Authority, make_authority, open_authority
from hub.directory_service.directory import Directory
from hub.directory_service.process import directory_code, looking, opened, serve, serving
from hub.directory_service.reading import SignedCopy

__all__ = [
    "Authority",
    "Directory",
    "SignedCopy",
    "directory_code",
    "looking",
    "make_authority",
    "open_authority",
    "opened",
    "serve",
    "serving",
]
