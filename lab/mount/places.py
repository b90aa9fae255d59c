"""From nodes to paths that the file system takes, however deep they are."""

import errno
import os
from itertools import takewhile
from typing import Final

from lab.mount.nodes import Node, Nodes
from servers.filesystem import FileSystem
from servers.filesystem.layout import PATH_MAX
from twinos import fail

Place = tuple[Node, str]
"""A directory and a name in it."""

_LONG: Final = PATH_MAX - 1


class Places:
    """Paths for requests about nodes.

    Args:
        nodes: what the host's kernel knows.
    """

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def of(self, files: FileSystem, node: Node) -> str:
        """The path of a node, for a request to `files`. ENOENT if it has no name."""
        (path,) = self._paths(files, [self._names(node)])
        return path

    def within(self, files: FileSystem, place: Place) -> str:
        """The path of a name, which may not be there."""
        (path,) = self._paths(files, [self._names_within(place)])
        return path

    def pair(self, files: FileSystem, first: Place, second: Place) -> tuple[str, str]:
        """Two paths for one request."""
        one, other = self._paths(files, [self._names_within(first), self._names_within(second)])
        return one, other

    def link(self, files: FileSystem, node: Node, place: Place) -> tuple[str, str]:
        """The paths of a node, and of a new name for it."""
        one, other = self._paths(files, [self._names(node), self._names_within(place)])
        return one, other

    def _names(self, node: Node) -> list[str]:
        names = self._nodes.path(node)
        if names is None:
            raise fail(errno.ENOENT)
        return names

    def _names_within(self, place: Place) -> list[str]:
        parent, name = place
        return [*self._names(parent), name]

    def _paths(self, files: FileSystem, ways: list[list[str]]) -> list[str]:
        """Absolute ones, or, where one is too long, relative ones to where all ways part."""
        paths = ["/" + "/".join(way) for way in ways]
        if all(len(path) < _LONG // 4 or len(os.fsencode(path)) < _LONG for path in paths):
            return paths
        shared = sum(1 for _ in takewhile(_alike, zip(*(way[:-1] for way in ways), strict=False)))
        _descend(files, ways[0][:shared])
        return ["/".join(way[shared:]) for way in ways]


def _alike(names: tuple[str, ...]) -> bool:
    return len(set(names)) == 1


def _descend(files: FileSystem, way: list[str]) -> None:
    """Make the directory at the end of `way` the working directory, a part at a time."""
    files.chdir("/")
    step = 32  # names of 60 bytes: well below the longest path
    for start in range(0, len(way), step):
        files.chdir("/".join(way[start : start + step]))
