"""One user of the host: a process that does what it is told, with a directory for its root.

Started with a directory, a user, a group and further groups, it reads requests from standard input
and answers on standard output, a line of JSON each. It needs nothing of ours, nor of what a changed
root hides.
"""

import fcntl
import json
import os
import stat
import struct
import sys
from typing import Any


def listing(path: Any = ".") -> Any:
    """`os.scandir` as our file system answers it."""
    with os.scandir(path) as entries:
        return [
            [entry.name, entry.inode(), stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)]
            for entry in entries
        ]


FLOCK = "hhqqi0q"


def record_lock(fd: int, command: int, lock: Any) -> Any:
    """`fcntl.fcntl` about a record lock, as our file system has it."""
    return struct.unpack(FLOCK, fcntl.fcntl(fd, command, struct.pack(FLOCK, *lock)))


OTHERS = {"scandir": listing, "fcntl": record_lock, "flock": fcntl.flock}


def thawed(value: Any) -> Any:
    """What came as JSON: lists were tuples, bytes are wrapped."""
    if isinstance(value, list):
        return tuple(map(thawed, value))
    if isinstance(value, dict):
        return bytes(map(ord, value["bytes"]))
    return value


def frozen(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": "".join(map(chr, value))}
    if isinstance(value, os.stat_result | os.statvfs_result):
        names = [name for name in dir(value) if name[:3] == "st_" or name[:2] == "f_"]
        return {"fields": {name: getattr(value, name) for name in names}}
    return value


def answer(line: str) -> Any:
    name, arguments, keywords = json.loads(line)
    operation = OTHERS[name] if name in OTHERS else getattr(os, name)
    try:
        result = operation(
            *map(thawed, arguments), **{key: thawed(value) for key, value in keywords.items()}
        )
    except OSError as error:
        return ["error", error.errno]
    except ValueError as error:  # `os` looks at some arguments itself
        return ["invalid", str(error)]
    return ["result", frozen(result)]


def say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    root, uid, gid, *groups = sys.argv[1:]
    os.chroot(root)
    os.chdir("/")
    os.umask(0o022)
    os.setgroups([int(group) for group in groups])
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))
    say(["result", None])
    for line in sys.stdin:
        say(answer(line))


if __name__ == "__main__":
    main()
