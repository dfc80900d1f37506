"""Who a gateway is: the names and roles that stand in every document it sends (floor 2; no I/O)."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from documents.identifiers import display, parse_identifier
from documents.model import Party
from documents.values import Identifier


class Identity(Struct, frozen=True, kw_only=True):
    """This participant, the hub it talks to, and what both agree on: area, coding scheme of bare ids, local time."""

    me: Party
    hub: Party
    domain: Identifier
    national: str
    timezone: str

    @property
    def audience(self) -> Identifier:
        """Whose rows a gateway holds: its participant's, nobody else's."""
        return self.me.id

    def read(self, text: str) -> Identifier:
        """An id as a client wrote it (R2). Raises IdentifierError."""
        return parse_identifier(text, national=self.national)

    def show(self, id: Identifier) -> str:  # noqa: A002 - the field's own word
        """An id as a client may write it (R2)."""
        return display(id, national=self.national)

    def local_date(self, at: datetime) -> date:
        """The calendar day of an instant where the market is."""
        return at.astimezone(ZoneInfo(self.timezone)).date()
