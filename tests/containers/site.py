"""The platform of compose.yaml while it runs: its services by name, and the addresses and tokens of its gateways."""

import time
from pathlib import Path
from typing import Final

from gateways.demo.cast import PLAYERS
from gateways.demo.founding import Platform
from hub.store.leadership import STANDING_BY
from tests.containers.engine import ROOT, Engine

FILE: Final = ROOT / "docker" / "compose.yaml"
HUBS: Final = ("hub", "hub-standby")
PORTS: Final = {name: port for port, name in enumerate(("north", "south", "charlie", "alpha", "bravo"), 8081)}


class Site:
    """Orders to the engine, in the words of docker compose."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def compose(self, *words: str, check: bool = True) -> str:
        """What docker compose prints."""
        return self.engine.run("docker", "compose", "--file", str(FILE), *words, check=check)

    def timed(self, *words: str) -> float:
        """Seconds that docker compose took for it."""
        begun = time.monotonic()
        self.compose(*words)
        return time.monotonic() - begun

    def sample_day(self) -> str:
        """What the sample day prints. Fails unless everybody saw what it must."""
        return self.engine.run(str(Path(FILE).with_name("sample-day")))

    def replace(self, service: str) -> float:
        """Stop a part and start a new one in its place, as an upgrade does; seconds until it is well."""
        return self.timed("up", "--detach", "--wait", "--no-deps", "--force-recreate", service)

    def health(self, service: str) -> str:
        """What a process says of itself."""
        return self.compose("exec", "-T", service, "healthcheck", check=False).strip()

    def leader(self) -> str:
        """Which hub works."""
        (found,) = (name for name in HUBS if self.health(name) != STANDING_BY)
        return found

    def container(self, service: str) -> str:
        """The id of a part's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def reaches(self, service: str, host: str, port: int) -> bool:
        """Whether a part can open a connection to there."""
        script = f"import socket; socket.create_connection(({host!r}, {port}), 3)"
        return "reached" in self.compose(
            "exec", "-T", service, "sh", "-c", f'python -c "{script}" && echo reached', check=False
        )

    def address(self, service: str, network: str) -> str:
        """The address of a part in one of its networks."""
        path = f'{{{{(index .NetworkSettings.Networks "tps_{network}").IPAddress}}}}'
        return self.engine.run("docker", "inspect", "--format", path, self.container(service)).strip()

    def platform(self) -> Platform:
        """Addresses and new tokens of the gateways."""
        issue = ("tps", "tokens", "issue", "--label", "trial", "--days", "1")
        return Platform(
            urls={player.name: f"http://127.0.0.1:{PORTS[player.name]}" for player in PLAYERS},
            tokens={each.name: self.compose("exec", "-T", each.name, *issue).strip() for each in PLAYERS},
            hub_url="",
            pages_url="",
            operator_password="",
        )

    def dead_letters(self) -> str:
        """How many messages were given up."""
        password = "/srv/tps/members/broker/provisioner.password"
        words = ("broker", "--password-file", password, "dead-letters", "--limit", "0")
        return self.compose("run", "--rm", "-T", "--no-deps", "provisioner", *words).strip()
