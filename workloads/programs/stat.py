"""stat: all that is known of files."""

import stat
import time

from servers.filesystem import Stat
from servers.process import Process
from workloads.programs._common import options, usage

_KINDS = {
    stat.S_IFREG: "regular file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFCHR: "character special file",
    stat.S_IFBLK: "block special file",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def main(process: Process, *arguments: str) -> int:
    """`stat [-L] [-c FORMAT] FILE...`; in FORMAT: %n %s %a %A %F %i %h %u %g %b %Y."""
    given, paths = options(process, arguments, "Lc:")
    if not paths:
        usage(process, "missing operand")
    status = 0
    for path in paths:
        try:
            found = process.files.stat(path) if "L" in given else process.files.lstat(path)
        except OSError as error:
            status = process.complain(f"cannot statx '{path}'", error)
            continue
        text = _formatted(given["c"], path, found) if "c" in given else _described(path, found)
        process.stdout.write(text + "\n")
    return status


def kind_of(found: Stat) -> str:
    """The type of a file in words."""
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "unknown")
    return "regular empty file" if kind == "regular file" and not found.st_size else kind


def _formatted(form: str, path: str, found: Stat) -> str:
    values = {
        "n": path,
        "s": str(found.st_size),
        "a": f"{stat.S_IMODE(found.st_mode):o}",
        "A": stat.filemode(found.st_mode),
        "F": kind_of(found),
        "i": str(found.st_ino),
        "h": str(found.st_nlink),
        "u": str(found.st_uid),
        "g": str(found.st_gid),
        "b": str(found.st_blocks),
        "Y": str(int(found.st_mtime)),
        "%": "%",
    }
    out, letters = "", iter(form)
    for letter in letters:
        out += letter if letter != "%" else values.get(next(letters, "%"), "?")
    return out


def _described(path: str, found: Stat) -> str:
    def moment(seconds: float) -> str:
        return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))

    mode = f"{stat.S_IMODE(found.st_mode):04o}/{stat.filemode(found.st_mode)}"
    return "\n".join(
        (
            f"  File: {path}",
            f"  Size: {found.st_size:<10} Blocks: {found.st_blocks:<8} {kind_of(found)}",
            f" Inode: {found.st_ino:<10}  Links: {found.st_nlink}",
            f"Access: ({mode})  Uid: {found.st_uid}  Gid: {found.st_gid}",
            f"Access: {moment(found.st_atime)}",
            f"Modify: {moment(found.st_mtime)}",
            f"Change: {moment(found.st_ctime)}",
        )
    )
