"""The platform of compose.yaml while it runs: its services by name, and the addresses and tokens of its gateways."""

import time
from pathlib import Path
from typing import Final

from gateways.demo.cast import PLAYERS
from gateways.demo.founding import Platform
from hub.store.leadership import STANDING_BY
from tests.containers.engine import ROOT, TAG, Engine

FILE: Final = ROOT / "docker" / "compose.yaml"
HUBS: Final = ("hub", "hub-standby")
PAGES: Final = {"hub": 8090, "hub-standby": 8091}
PATIENCE_S: Final = 60.0
COMPLAINTS: Final = 5
PORTS: Final = {name: port for port, name in enumerate(("north", "south", "charlie", "alpha", "bravo"), 8081)}


class Site:
    """Orders to the engine, in the words of docker compose."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.version = engine, TAG

    def compose(self, *words: str, check: bool = True, version: str | None = None) -> str:
        """What docker compose prints; `version` is that of our image, if it is another one."""
        chosen = version or self.version
        return self.engine.run("docker", "compose", "--file", str(FILE), *words, check=check, TPS_VERSION=chosen)

    def refusal(self, *words: str) -> str:
        """What docker compose complains of, of a command that must not end well."""
        return self.engine.refusal("docker", "compose", "--file", str(FILE), *words, TPS_VERSION=self.version)

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
        """Which hub works. Fails when none does for a minute."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := [name for name in HUBS if self.health(name) == "ready"]):
            assert time.monotonic() < deadline, "no hub works"
        return found[0]

    def not_standing_by(self, hub: str) -> str:
        """What a hub says of itself, unless it stands by."""
        said = self.health(hub)
        return "" if said == STANDING_BY else said or "nothing"

    def migrate(self, component: str, version: str) -> float:
        """Bring its database to the schema of that version; seconds it took."""
        kind = component if component in {"hub", "directory"} else "gateway"
        begun = time.monotonic()
        words = ("run", "--rm", "-T", "--no-deps", component, "store", "migrate", "--kind", kind)
        told = self.compose(*words, version=version)
        assert "1 applied" in told, told
        return time.monotonic() - begun

    def image(self, service: str) -> str:
        """The image a part runs."""
        return self.engine.run("docker", "inspect", "--format", "{{.Config.Image}}", self.container(service)).strip()

    def complaints(self) -> str:
        """The last errors in the logs of our parts, in the order of their time."""
        parts = (*HUBS, "directory", *PORTS)
        lines = self.compose("logs", "--no-color", "--since", "15m", *parts, check=False).splitlines()
        errors = [line for line in lines if '"level": "error"' in line and "aiormq" not in line]
        errors.sort(key=lambda line: line.partition('"at": ')[2][:29])
        return "\n".join(line.replace("\\n", "\n  ") for line in errors[-COMPLAINTS:])

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
