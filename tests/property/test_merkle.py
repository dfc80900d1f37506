"""Merkle trees as RFC 9162 means them: the known values, a naive tree, and proofs read by the standalone script."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.audit.leaves import Salts
from hub.audit.merkle import Span, Spans, Tree, consistency_spans, inclusion_spans, leaf_hash, node_hash
from hub.verbs.verify_proof import NotProven, root_of_inclusion, roots_of_consistency

# The leaves and roots that implementations of Certificate Transparency test themselves with.
KNOWN = (
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    ("606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
)
LEAVES = [leaf_hash(number.to_bytes(2, "big")) for number in range(300)]
SIZES = st.integers(1, len(LEAVES))


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 2.1.1, word for word."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = max(1 << power for power in range(20) if 1 << power < len(leaves))
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def tree_of(size: int) -> Tree:
    tree = Tree()
    for leaf in LEAVES[:size]:
        tree.append(leaf)
    return tree


def collected(spans: list[Span], *, begun: int, size: int) -> list[bytes]:
    """The roots of the spans, from a tree kept at `begun` and the leaves after it."""
    roots = Spans(spans, tree_of(begun))
    for leaf in LEAVES[begun:size]:
        roots.append(leaf)
    return roots.roots()


def test_the_roots_are_those_that_others_compute() -> None:
    tree = Tree()
    assert tree.root() == sha256().digest()
    for leaf, root in KNOWN:
        tree.append(leaf_hash(bytes.fromhex(leaf)))
        assert tree.root().hex() == root


@given(SIZES)
def test_a_tree_that_grew_has_the_root_of_one_built_at_once(size: int) -> None:
    assert tree_of(size).root() == naive_root(LEAVES[:size])


@given(SIZES, st.data())
def test_a_tree_that_was_kept_grows_on_as_if_it_had_not_been(size: int, data: st.DataObject) -> None:
    kept = tree_of(data.draw(st.integers(0, size)))

    tree = Tree.from_bytes(kept.size, kept.to_bytes())
    for leaf in LEAVES[kept.size : size]:
        tree.append(leaf)

    assert (tree.size, tree.root()) == (size, naive_root(LEAVES[:size]))


@pytest.mark.parametrize(("size", "peaks"), [(1, b""), (2, bytes(64)), (0, bytes(32)), (1, bytes(31))])
def test_peaks_that_cannot_be_those_of_a_tree_are_refused(size: int, peaks: bytes) -> None:
    with pytest.raises(ValueError, match="peaks"):
        Tree.from_bytes(size, peaks)


@given(SIZES, st.data())
def test_every_leaf_is_proven_and_no_other_in_its_place(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    begun = data.draw(st.integers(0, index))
    spans = inclusion_spans(index, size)

    path = collected(spans, begun=begun, size=size)

    assert path == [naive_root(LEAVES[start:end]) for start, end in spans]
    assert root_of_inclusion(LEAVES[index], index, size, path) == naive_root(LEAVES[:size])
    assert root_of_inclusion(leaf_hash(b"another"), index, size, path) != naive_root(LEAVES[:size])


@given(SIZES, st.data())
def test_a_tree_is_proven_to_begin_with_an_older_one(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    roots = naive_root(LEAVES[:old]), naive_root(LEAVES[:size])

    path = collected(consistency_spans(old, size), begun=old, size=size)

    assert roots_of_consistency(old, size, roots[0], path) == roots
    if old < size:
        assert roots_of_consistency(old, size, roots[0], [leaf_hash(b"another"), *path[1:]]) != roots


@given(SIZES, st.data())
def test_a_path_with_too_much_or_too_little_proves_nothing(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = collected(inclusion_spans(index, size), begun=0, size=size)

    with pytest.raises(NotProven, match="too long"):
        root_of_inclusion(LEAVES[index], index, size, [*path, LEAVES[0]])
    if path:
        with pytest.raises(NotProven, match="too short"):
            root_of_inclusion(LEAVES[index], index, size, path[:-1])


def test_a_leaf_cannot_be_guessed_without_the_secret() -> None:
    record = b"what anybody could guess"
    ours, others = Salts(b"the secret of the hub"), Salts(b"a guess at the secret")

    assert ours.leaf(7, record) == leaf_hash(ours.salt(7) + record)
    assert ours.leaf(7, record) != others.leaf(7, record)
    # One opened leaf opens no other.
    assert ours.leaf(8, record) != leaf_hash(ours.salt(7) + record)
