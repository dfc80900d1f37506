"""The Component Directory as a process: the same small machine a third time, log, desk, rows and doors (floor 7).

`Directory` is wired from a store and an authority that its owner opened, so that the platform's bootstrap, the demo,
the tests and production run the same code. `serve` opens the real ones as the settings say. In one process:

    directory = Directory(code, store=store, authority=founded_authority(folder))
    async with directory.running(), serving(directory, settings) as url:   # a component of itself, and listening
        founder = Founder(directory, url, "Demo", "demo")                  # hub.directory_service.founding
        files = await founder.enrol_broker(broker_folder, broker_code, hosts=["localhost"])
        await founder.enrol(hub_folder, hub_code, Party.HUB)
        await provision(management, await directory.registered())          # hub.mades.provision
        membership = Membership(hub_folder, clock=clock)                   # hub.mades.membership
"""

from hub.directory_service.authority import Authority, founded_authority, make_authority, open_authority
from hub.directory_service.directory import Directory
from hub.directory_service.process import directory_code, looking, opened, serve, serving
from hub.directory_service.reading import SignedCopy

__all__ = [
    "Authority",
    "Directory",
    "SignedCopy",
    "directory_code",
    "founded_authority",
    "looking",
    "make_authority",
    "open_authority",
    "opened",
    "serve",
    "serving",
]
