"""Who plays in the demo: a hub, two DSOs, two aggregators, a balance responsible party, and their points and assets.

All ids have right check characters; all names are invented.
"""

from typing import Final

from msgspec import Struct


class Player(Struct, frozen=True, kw_only=True):
    """A participant with the port of its gateway, counted from the demo's base port."""

    name: str
    id: str
    role: str
    port: int
    brp: str | None = None

    @property
    def variable(self) -> str:
        """Name of its shell variables in the demo's `env` file."""
        return self.name.upper()


class DemoAsset(Struct, frozen=True, kw_only=True):
    """An asset with its power in watts."""

    name: str
    id: str
    point: str
    produces: int = 0
    consumes: int = 0


HUB_ID: Final = "45X-TPS-HUB-DEM8"
DIRECTORY_ID: Final = "45X-TPS-DIR-DEMS"
BROKER_ID: Final = "45X-TPS-BRK-DEMN"

NORTH: Final = Player(name="north", id="5790000000005", role="DSO", port=201)
SOUTH: Final = Player(name="south", id="5790000000012", role="DSO", port=202)
CHARLIE: Final = Player(name="charlie", id="45X-BRP-CHARLIEG", role="BRP", port=103)
ALPHA: Final = Player(name="alpha", id="45X-AGR-ALPHA--N", role="AGR", port=101, brp=CHARLIE.id)
BRAVO: Final = Player(name="bravo", id="45X-AGR-BRAVO--B", role="AGR", port=102, brp=CHARLIE.id)

DSOS: Final = (NORTH, SOUTH)
AGRS: Final = (ALPHA, BRAVO, CHARLIE)
PLAYERS: Final = (NORTH, SOUTH, CHARLIE, ALPHA, BRAVO)

N1: Final = "571313199000000014"
N2: Final = "571313199000000021"
S1: Final = "571313199000000038"
S2: Final = "571313199000000045"
POINTS: Final = {NORTH.name: (N1, N2), SOUTH.name: (S1, S2)}

HEAT_PUMP: Final = DemoAsset(name="Heat pump Egevej", id="571313100000000010", point=N1, consumes=500_000)
CHP: Final = DemoAsset(name="CHP Mosegaard", id="571313100000000027", point=N2, produces=4_500_000, consumes=120_000)
BATTERY: Final = DemoAsset(
    name="Battery Havnen", id="571313100000000034", point=N1, produces=1_000_000, consumes=1_000_000
)
FLEET: Final = DemoAsset(name="EV fleet Syd", id="571313100000000041", point=S1, consumes=800_000)
PLANT: Final = DemoAsset(name="CHP Sydvaerket", id="571313100000000058", point=S2, produces=3_000_000)
COOLER: Final = DemoAsset(name="Cold store Nord", id="571313100000000065", point=N1, consumes=250_000)
ASSETS: Final = {ALPHA.name: (HEAT_PUMP, CHP), BRAVO.name: (BATTERY, FLEET), CHARLIE.name: (PLANT, COOLER)}
