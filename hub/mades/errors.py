"""What can go wrong with a message on its way: the catalogue as data, and the error that carries a code of it.

Each code says who learns of it and what becomes of the message. docs/mades.md lists the same codes for people; a test
keeps the two together.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from hub.mades.message import Message


class Effect(StrEnum):
    """What becomes of the message."""

    REFUSED = "refused at once, never ACCEPTED"
    FAILED = "FAILED"
    FAILED_OR_DEAD = "FAILED, told to an authenticated sender; from anybody else to the dead letters"
    RETRY = "stays where it is and is tried again"
    UNTIL_EXPIRY = "at its sender tried again until it expires, at its receiver FAILED"
    NONE = "no effect, noted in the trace"


class Entry(Struct, frozen=True):
    """One line of the catalogue."""

    when: str
    effect: Effect


CATALOGUE: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "E-VALIDATION": Entry("a field breaks its pattern, or the document cannot be made", Effect.REFUSED),
        "E-TOO-LARGE": Entry("manifest or content is larger than the limit", Effect.FAILED_OR_DEAD),
        "E-FORMAT": Entry("the bytes are no MADES message: preamble, manifest or a field of it", Effect.FAILED_OR_DEAD),
        "E-VERSION": Entry("the MADES version differs by more than one", Effect.FAILED_OR_DEAD),
        "E-DECOMPRESS": Entry("the payload does not inflate to the announced length", Effect.FAILED_OR_DEAD),
        "E-DIGEST": Entry("the content is not the one its digest was taken of", Effect.FAILED_OR_DEAD),
        "E-MISMATCH": Entry(
            "properties at the broker differ from the manifest; buried: an id that came before with another content",
            Effect.FAILED_OR_DEAD,
        ),
        "E-NO-PATH": Entry("no path carries this business type from this sender to this receiver", Effect.FAILED),
        "E-UNKNOWN-RECEIVER": Entry("the directory lists no component with this code", Effect.UNTIL_EXPIRY),
        "E-SENDER-NOT-ALLOWED": Entry("the receiver's path for this type is not for this sender", Effect.FAILED),
        "E-PATH-INVALID": Entry("the path leads over a broker that does not carry it to the receiver", Effect.FAILED),
        "E-NO-CERT": Entry("the directory lists no certificate for this use of this component", Effect.UNTIL_EXPIRY),
        "E-CERT-EXPIRED": Entry("the certificate was not valid at that instant", Effect.UNTIL_EXPIRY),
        "E-DIRECTORY-STALE": Entry("the copy of the component directory is older than its time to live", Effect.RETRY),
        "E-REVOKED": Entry("the certificate or its component was revoked", Effect.FAILED),
        "E-SIGNATURE": Entry("the manifest is not signed by its sender, or not as it should be", Effect.FAILED_OR_DEAD),
        "E-DECRYPT": Entry("the payload does not decrypt with a key of this receiver", Effect.FAILED_OR_DEAD),
        "E-EXPIRED": Entry("the time to live is over, or made longer ago than any message lives", Effect.FAILED),
        "E-CLOCK": Entry("made more than 300 s in the future: the clocks differ", Effect.FAILED),
        "E-DUPLICATE": Entry("taken in before; the stored acknowledgements are sent again", Effect.NONE),
        "E-BROKER-REFUSED": Entry("the broker refuses the message: access, size, or user id", Effect.FAILED),
        "E-UNROUTABLE": Entry("the receiver has no queue at the broker yet", Effect.RETRY),
        "E-BROKER-DOWN": Entry("the broker does not answer; the outcome is unknown, so it is sent again", Effect.RETRY),
        "E-STORE": Entry("the store does not answer", Effect.RETRY),
        "E-STORE-FULL": Entry("the store holds as many messages as it may", Effect.REFUSED),
        "E-BA-REJECTED": Entry("the business side may never take this from this sender", Effect.FAILED),
        "E-NOT-FOUND": Entry("no message has this id", Effect.NONE),
    }
)


class MadesError(Exception):
    """A message that is refused for good. `code` is one of the catalogue, `detail` says what was found and expected.

    `message` is what could be read of it (without content), None when not even the manifest was readable.
    """

    def __init__(self, code: str, detail: str, *, message: "Message | None" = None) -> None:
        super().__init__(f"{code}: {detail}")
        assert code in CATALOGUE
        self.code, self.detail, self.message = code, detail, message


class NotKnownYet(MadesError):
    """The same for a partner or certificate that our copy of the directory does not list, while the directory is away:
    it may have listed it since.
    """
