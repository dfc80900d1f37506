"""The Merkle tree of RFC 9162 (section 2.1) over a growing sequence of leaves. Pure.

A tree of n leaves is kept as the roots of its perfect subtrees, one for each bit of n: that is all it takes to let it
grow, and to tell its root. What proofs are made of are the roots of some spans of leaves; `Spans` collects them while
the leaves pass by once.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final, Self

HASH_BYTES: Final = 32

Span = tuple[int, int]
"""Leaves from the first number up to, not including, the second."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a tree of this one leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree as it stands: `size` leaves, and the `peaks`, the roots of its perfect subtrees, the largest first."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Raises ValueError: there is not one peak for each bit of `size`."""
        if size < 0 or len(peaks) != size.bit_count():
            raise ValueError(f"found {len(peaks)} peaks for {size} leaves")
        self.size, self.peaks = size, list(peaks)

    @classmethod
    def from_bytes(cls, size: int, peaks: bytes) -> Self:
        """A tree kept before. Raises ValueError."""
        if len(peaks) % HASH_BYTES:
            raise ValueError(f"found {len(peaks)} bytes of peaks, expected a multiple of {HASH_BYTES}")
        return cls(size, [peaks[start : start + HASH_BYTES] for start in range(0, len(peaks), HASH_BYTES)])

    def to_bytes(self) -> bytes:
        """The peaks, one after the other: to be kept with `size`."""
        return b"".join(self.peaks)

    def copy(self) -> "Tree":
        """A tree that grows by itself from here."""
        return Tree(self.size, self.peaks)

    def append(self, leaf: bytes) -> None:
        """Let the tree grow by a leaf, given by its hash."""
        rest = self.size
        while rest & 1:
            leaf = node_hash(self.peaks.pop(), leaf)
            rest >>= 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The hash of the whole tree (MTH)."""
        if not self.peaks:
            return hashlib.sha256().digest()
        *larger, root = self.peaks
        for peak in reversed(larger):
            root = node_hash(peak, root)
        return root

    def tail(self, start: int) -> "Tree":
        """The tree of the leaves from `start` on, which must be where a perfect subtree begins. Raises ValueError."""
        before = 0
        for number, peak_size in enumerate(_peak_sizes(self.size)):
            if before == start:
                return Tree(self.size - start, self.peaks[number:])
            before += peak_size
        if before == start:
            return Tree()
        raise ValueError(f"No subtree of a tree of {self.size} leaves begins at {start}.")


class Spans:
    """The roots of some disjoint spans of leaves, collected while the leaves after `tree` pass by."""

    def __init__(self, spans: Sequence[Span], tree: Tree) -> None:
        """`tree` holds the leaves before; a span within it, or begun in it, must begin where a subtree does."""
        self._spans, self._next = tuple(spans), tree.size
        self._trees = {span: self._begun(span, tree) for span in spans}
        self._open = sorted(span for span in spans if span[1] > tree.size)

    def append(self, leaf: bytes) -> None:
        """The next leaf, given by its hash."""
        if self._open and self._open[0][0] <= self._next:
            span = self._open[0]
            self._trees[span].append(leaf)
            if self._next + 1 == span[1]:
                self._open.pop(0)
        self._next += 1

    def roots(self) -> list[bytes]:
        """The root of each span, in the order they were asked for."""
        assert not self._open, f"leaves are missing: {self._open}"
        return [self._trees[span].root() for span in self._spans]

    @staticmethod
    def _begun(span: Span, tree: Tree) -> Tree:
        start, end = span
        if start >= tree.size:
            return Tree()
        begun = tree.tail(start)
        return begun if end >= tree.size else Tree(end - start, begun.peaks[: (end - start).bit_count()])


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The spans whose roots prove that leaf `index` is in a tree of `size` leaves (PATH, RFC 9162 2.1.3.1)."""
    start, end, spans = 0, size, list[Span]()
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """The spans whose roots prove that a tree of `old` leaves is the beginning of one of `new` (RFC 9162 2.1.4.1).

    Empty when both are the same; `old` is at least 1.
    """
    start, end, spans = 0, new, list[Span]()
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    # A whole old tree is known to whoever asks; a part of it is not.
    return ([] if start == 0 else [(start, end)]) + spans[::-1]


def _split(size: int) -> int:
    """The largest power of two below `size`: how many leaves are on the left."""
    return 1 << (size - 1).bit_length() - 1


def _peak_sizes(size: int) -> Iterator[int]:
    """The sizes of the perfect subtrees of a tree, the largest first."""
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            yield 1 << bit
