"""Every fact the log of a message box can hold. Contents are not here: `digest` names them in the store."""

from msgspec import Struct

from documents.values import Identifier, Instant
from hub.restored import StoreRestored


class MessageSent(Struct, frozen=True, kw_only=True, tag="MessageSent.v1"):
    """SendMessage took a message; `digest` is the hexadecimal SHA-256 of its content."""

    message_id: str
    receiver: Identifier
    business_type: str
    digest: str
    expires: Instant
    sender_application: str = ""
    ba_message_id: str = ""
    conversation_id: str = ""


class MessageReceived(Struct, frozen=True, kw_only=True, tag="MessageReceived.v1"):
    """A message came; its business application does not have it yet. `generated` is when its sender took it."""

    message_id: str
    sender: str
    business_type: str
    digest: str
    generated: Instant
    expires: Instant
    ba_message_id: str = ""
    sender_application: str = ""
    manifest_digest: str | None = None


class MessageConfirmed(Struct, frozen=True, kw_only=True, tag="MessageConfirmed.v1"):
    """ConfirmReceiveMessage: the business application has it."""

    message_id: str


class MessageExpired(Struct, frozen=True, kw_only=True, tag="MessageExpired.v1"):
    """A message that was never confirmed is no longer handed over."""

    message_id: str


class ConnectivityTestAsked(Struct, frozen=True, kw_only=True, tag="ConnectivityTestAsked.v1"):
    """ConnectivityTest: the endpoint is to send a tracing message."""

    message_id: str
    receiver: Identifier
    business_type: str


class ConnectivityTestEnded(Struct, frozen=True, kw_only=True, tag="ConnectivityTestEnded.v1"):
    """What came of it: milliseconds to broker and receiver, or (`failure`) the hop that did not answer."""

    message_id: str
    broker_ms: float | None = None
    receiver_ms: float | None = None
    failure: str = ""


class MessageFollowed(Struct, frozen=True, kw_only=True, tag="MessageFollowed.v1"):
    """The business application is to be told of the states of a message that it sent."""

    message_id: str
    ba_message_id: str = ""


class StateTold(Struct, frozen=True, kw_only=True, tag="StateTold.v1"):
    """It was told of this state (a `hub.ports.MessageState`)."""

    message_id: str
    state: str


Event = (
    MessageSent
    | MessageReceived
    | MessageConfirmed
    | MessageExpired
    | ConnectivityTestAsked
    | ConnectivityTestEnded
    | MessageFollowed
    | StateTold
    | StoreRestored
)
