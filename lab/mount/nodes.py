"""Nodes: the files that the host's kernel knows of, and the names by which we reach them.

The host's kernel speaks of inodes, and the file system of paths. A node is an inode that the host's
kernel has looked up and not yet forgotten; it knows the directories in which it has a name. A file
without any name that we know of is reached by a *keeper*, a descriptor that was opened before the
name went: so it is alive, and its number nobody else's, for as long as the host may ask for it.
"""

from collections.abc import Iterator
from stat import S_IFDIR
from typing import Final

from servers.filesystem.layout import ROOT

NO_KEEPER: Final = -1


class Node:
    """One inode.

    Attributes:
        number: the inode's.
        kind: its type, one of `stat.S_IF*`.
        lookups: how often the host's kernel was told of it, less what it has forgotten.
        names: where it has a name: directory and name.
        children: of a directory, the nodes that have names in it.
        keeper: a descriptor of the superuser for one that lost its names.
    """

    __slots__ = ("children", "keeper", "kind", "lookups", "names", "number")

    def __init__(self, number: int, kind: int) -> None:
        self.number = number
        self.kind = kind
        self.lookups = 0
        self.names: set[tuple[Node, str]] = set()
        self.children: dict[str, Node] = {}
        self.keeper = NO_KEEPER

    def only_name_is(self, place: "tuple[Node, str]") -> bool:
        """Whether no other name is known."""
        return self.names == {place}


class Nodes:
    """All nodes, as a tree."""

    def __init__(self) -> None:
        self.root: Final = Node(ROOT, S_IFDIR)
        self._nodes = {ROOT: self.root}

    def __getitem__(self, number: int) -> Node:
        """The node of an inode that the host's kernel knows."""
        return self._nodes[number]

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def found(self, parent: Node, name: str, number: int, kind: int) -> Node:
        """The host's kernel is told, once more, that the inode `number` has this name."""
        node = self._nodes.get(number)
        if node is None:
            node = self._nodes[number] = Node(number, kind)
        node.lookups += 1
        self._enter(parent, name, node)
        return node

    def removed(self, parent: Node, name: str) -> None:
        """A name is gone."""
        node = parent.children.pop(name, None)
        if node is not None:
            node.names.discard((parent, name))
            self._sweep(node)

    def moved(self, old_parent: Node, old_name: str, parent: Node, name: str) -> None:
        """A name has become another, whatever that was before."""
        node = old_parent.children.get(old_name)
        self.removed(parent, name)
        if node is not None:
            self._enter(parent, name, node)
            self.removed(old_parent, old_name)

    def forgotten(self, number: int, count: int) -> int:
        """The host's kernel forgets a node, `count` times; a keeper to close, or NO_KEEPER."""
        node = self._nodes[number]
        node.lookups -= count
        if node.lookups > 0:
            return NO_KEEPER
        keeper, node.keeper = node.keeper, NO_KEEPER
        self._sweep(node)
        return keeper

    def path(self, node: Node) -> list[str] | None:
        """The names that lead to a node from the root on; None if none do."""
        names: list[str] = []
        while node is not self.root:
            if not node.names:
                return None
            node, name = next(iter(node.names))
            names.append(name)
        names.reverse()
        return names

    def _enter(self, parent: Node, name: str, node: Node) -> None:
        if parent.children.get(name) is not node:
            self.removed(parent, name)
            parent.children[name] = node
            node.names.add((parent, name))

    def _sweep(self, node: Node) -> None:
        """Let go of a node that nobody knows, and of those above it that only led to it."""
        if node.lookups > 0 or node.children or node is self.root:
            return
        self._nodes.pop(node.number, None)
        for parent, name in tuple(node.names):
            del parent.children[name]
            self._sweep(parent)
        node.names.clear()
