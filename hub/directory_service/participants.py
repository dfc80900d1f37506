"""Whether the hub has admitted whom the directory is about to let in (R1, floor 7; `tps directory approve`).

The hub's log is the only place that knows who takes part, so it is asked at each approval. A directory on another
machine is given what `tps participants list --json` printed there.
"""

from pathlib import Path
from typing import Final

import msgspec

from hub.app.process import reading
from hub.compose import decoded
from hub.directory.refusals import Refusal, refuse
from hub.directory.values import Party
from hub.errors import SettingsError
from hub.ports import OPERATOR, Scope
from hub.rows import PARTICIPANTS, Participant
from hub.settings import HubSettings, load

TAKE_PART: Final = frozenset({Party.DSO, Party.AGR, Party.BRP})
"""Who must be a participant; hub, broker and directory are the platform's own."""


async def at_the_hub(settings: Path, code: str) -> Participant | None:
    """The participant with this code in the log of the hub with these settings. Raises SettingsError, Unavailable."""
    # No environment: it says how the directory reaches its own database.
    hub = load(HubSettings, settings, {})
    async with reading(hub) as store:
        item = await store.rows.get(Scope(OPERATOR), PARTICIPANTS, code)
        return decoded(item, Participant) if item else None


def in_list(file: Path, code: str) -> Participant | None:
    """The participant with this code in a list of the hub's. Raises SettingsError: the file is none."""
    try:
        listed = msgspec.json.decode(file.read_bytes(), type=list[Participant])
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError(
            f"{file}: found {error}; expected what `tps participants list --json` prints at the hub."
        ) from error
    return next((each for each in listed if each.participant == code), None)


def check_admitted(code: str, party: Party, found: Participant | None) -> None:
    """Raise Rejected unless the hub knows `code`, as this party (R1)."""
    if found is None:
        refuse(
            Refusal.STATE,
            f"{code} is no participant of the hub. Admit it there with `tps participants add`, then approve it (R1).",
        )
    if found.role.value != party.value:
        refuse(
            Refusal.STATE,
            f"{code} is {found.role} at the hub and was to be let in as {party}. Reject it, and invite it anew as "
            f"{found.role} (R1).",
        )
