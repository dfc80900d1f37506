"""What can be asked of a message box: the operations that change something, and what its endpoint tells it."""

from msgspec import Struct

from hub.mades.box.events import ConnectivityTestAsked, ConnectivityTestEnded, MessageReceived, MessageSent


class Send(Struct, frozen=True):
    """Take this message, unless its conversation has sent one."""

    message: MessageSent


class Take(Struct, frozen=True):
    """A message has come."""

    message: MessageReceived


class Confirm(Struct, frozen=True):
    """The business application has this one."""

    message_id: str


class Expire(Struct, frozen=True):
    """Hand these over no longer."""

    message_ids: tuple[str, ...]


class Test(Struct, frozen=True):
    """Find out whether a receiver answers."""

    test: ConnectivityTestAsked


class EndTest(Struct, frozen=True):
    """This is what came of a test."""

    result: ConnectivityTestEnded


class Follow(Struct, frozen=True):
    """Tell the business application what becomes of a message that it sent."""

    message_id: str
    ba_message_id: str


class Tell(Struct, frozen=True):
    """It was told of this state."""

    message_id: str
    state: str


Command = Send | Take | Confirm | Expire | Test | EndTest | Follow | Tell
