"""From a document to a command: the hub's door for all that is sent to it (floor 4, pure; R2, R14, R15, R26, R27).

`read` always returns exactly one command, because every document gets exactly one answer: what cannot be taken becomes
a `RefuseDocument` with its reason. A finding that concerns one series travels as its fault and refuses that series only
(R3). What needs the hub's state (who holds what, revisions, time) is decided later by the aggregates, never here.
"""

from hub.intake.door import Envelope, Judgement, judge, origin_of, read, unreadable_origin

__all__ = ["Envelope", "Judgement", "judge", "origin_of", "read", "unreadable_origin"]
