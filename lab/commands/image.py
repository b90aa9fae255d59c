"""`twinos image`: make, fill, read, check and repair disk images."""

import argparse
import errno
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from lab import image_tar
from lab.arguments import Parser
from lab.image_entry import CHUNK, Sink
from lab.image_file import draft, filled_directory, opened, parse_size, reason
from lab.image_host import DirectoryWriter, read_directory
from lab.image_listing import listing, say
from lab.image_system import FilesWriter, booted, give, read_files
from lab.image_transfer import transfer
from lab.refusal import Failure, Refusal
from servers.filesystem.check import FileImage, Severity, check
from servers.filesystem.check.superblock import is_an_image
from servers.filesystem.layout import BLOCK_SIZE
from servers.filesystem.mkfs import plan_with_log
from servers.filesystem.repair import Hopeless, repair

SHOWN: Final = 1000
"""Findings that are listed one by one."""

FAILED: Final = 1
ROOM: Final = "; an image has the room that --size and --inodes of create gave it"
LOOK: Final = "; `twinos image check` says more"

EPILOG: Final = """\
A name that ends in .tar, .tar.gz, .tar.bz2 or .tar.xz (or .tgz, .tbz2, .txz) means a tar file for
export; import and create look at what is there. What changes an image changes a copy, which takes
the image's place when it is done: it is changed as a whole or not at all.

examples:
  twinos image create disk.img --size 64M /usr/lib/python3
  twinos image import disk.img project.tar.gz --to /home/project
  twinos image ls disk.img /home -l
  twinos image cat disk.img /home/project/README
  twinos image export disk.img /tmp/project --from /home/project
  twinos image check disk.img
  twinos image repair disk.img

exit status: 0 done, 1 the image has errors or something failed, 2 asked for what there is not
"""


class _Action(Parser):
    """A parser that takes options between arguments that may be left out (IMAGE -l PATH)."""

    _nested = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse options and arguments in any order."""
        if self._nested:
            return super().parse_known_args(args, namespace)
        self._nested = True
        return self.parse_known_intermixed_args(args, namespace)


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True, parser_class=_Action)

    def action(
        name: str, act: Callable[[argparse.Namespace], int], about: str, *, boots: bool = True
    ) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=about, description=f"{about.capitalize()}.")
        added.add_argument("image", metavar="IMAGE", help="a file, or a disk")
        added.set_defaults(act=act)
        if boots:
            added.add_argument("--kernel", default="monolithic", metavar="K", help="as in bench")
        return added

    create = action("create", _create, "make an image, and fill it if there is a source")
    create.add_argument("source", nargs="?", metavar="DIR|TAR", help="what to put into it")
    create.add_argument("--size", default="8M", help="bytes, or with K, M or G; 8M by default")
    create.add_argument("--inodes", type=_count, metavar="N", help="files it can hold")
    create.add_argument(
        "--log",
        type=_blocks,
        metavar="BLOCKS",
        help="of the log; 0 for none; by default a sixteenth of an image of 1M or more",
    )
    fill = action("import", _import, "copy a directory or tar file into an image")
    fill.add_argument("source", metavar="DIR|TAR", help="what to copy")
    fill.add_argument("--to", default="/", metavar="PATH", help="the directory that gets it; /")
    empty = action("export", _export, "copy an image, or a part, to a directory or tar file")
    empty.add_argument("target", metavar="DIR|TAR", help="not there yet, or an empty directory")
    empty.add_argument("--from", default="/", dest="top", metavar="PATH", help="what to copy; /")
    ls = action("ls", _ls, "list a directory")
    ls.add_argument("path", nargs="?", default="/", metavar="PATH", help="/ by default")
    ls.add_argument("-l", action="store_true", dest="long", help="with type, mode, size and time")
    ls.add_argument("-R", action="store_true", dest="recursive", help="and all directories in it")
    cat = action("cat", _cat, "write a file to standard output")
    cat.add_argument("path", metavar="PATH")
    action("check", _check, "look for damage, without changing anything", boots=False)
    action("repair", _repair, "make a damaged image clean, keeping what can be kept", boots=False)


def execute(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    status: int = arguments.act(arguments)
    return status


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 32):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of files")
    return int(text)


def _blocks(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 1 << 32):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of blocks")
    return int(text)


def _create(arguments: argparse.Namespace) -> int:
    size = parse_size(arguments.size)
    try:
        plan_with_log(size // BLOCK_SIZE, arguments.inodes, arguments.log)
    except OSError as error:
        raise Refusal(f"{reason(error)}.") from None
    _require_source(arguments.source)
    _require_nothing(arguments.image)
    with _saying(arguments.image, ROOM), draft(arguments.image, size=size) as place:
        _fill(arguments, place, "/", new=True)
    return 0


def _import(arguments: argparse.Namespace) -> int:
    _require_image(arguments.image)
    _require_source(arguments.source)
    with _saying(arguments.image, ROOM), draft(arguments.image) as place:
        _fill(arguments, place, arguments.to)
    return 0


def _fill(arguments: argparse.Namespace, place: str, top: str, *, new: bool = False) -> None:
    """Boot an image that may change, and copy the source, if there is one, into it."""
    source = arguments.source
    blank = {"inodes": arguments.inodes, "log": arguments.log} if new else {}
    durable = stat.S_ISBLK(os.stat(place).st_mode)  # a draft gets there as a whole
    with booted(place, arguments.kernel, writing=True, durable=durable, **blank) as files:
        if new and os.geteuid():
            give(files, "/", os.geteuid(), os.getegid())  # as mkfs.minix does
        if source is None:
            return
        sink = FilesWriter(files, top)
        if os.path.isdir(source):
            _refuse_itself(arguments.image, source)
            _report(transfer(read_directory(source), sink, "import"))
            return
        try:
            with image_tar.open_to_read(source) as tar:
                _report(transfer(image_tar.read_tar(tar), sink, "import"))
        except image_tar.DAMAGED as error:
            raise Failure(f"{source} is no tar file, or a damaged one: {error}.") from None


def _export(arguments: argparse.Namespace) -> int:
    _require_image(arguments.image)
    with (
        _saying(arguments.image),
        _export_sink(arguments.target) as sink,
        booted(arguments.image, arguments.kernel) as files,
    ):
        if not stat.S_ISDIR(files.lstat(arguments.top).st_mode):
            raise Refusal(f"{arguments.top} is no directory; `twinos image cat` reads files.")
        _report(transfer(read_files(files, arguments.top), sink, "export"))
    return 0


@contextmanager
def _export_sink(target: str) -> Iterator[Sink]:
    end = image_tar.suffix(target)
    if end is None:
        with filled_directory(target) as folder:
            yield DirectoryWriter(folder)
        return
    _require_nothing(target)
    with draft(target, size=0) as place, image_tar.open_to_write(place, end) as tar:
        yield image_tar.TarWriter(tar)


def _ls(arguments: argparse.Namespace) -> int:
    _require_image(arguments.image)
    with _saying(arguments.image), booted(arguments.image, arguments.kernel) as files:
        for line in listing(
            files, arguments.path, long=arguments.long, recursive=arguments.recursive
        ):
            say(line)
    return 0


def _cat(arguments: argparse.Namespace) -> int:
    _require_image(arguments.image)
    with _saying(arguments.image), booted(arguments.image, arguments.kernel) as files:
        descriptor = files.open(arguments.path, os.O_RDONLY)
        while part := files.read(descriptor, CHUNK):
            sys.stdout.buffer.write(part)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    counts: Counter[Severity] = Counter()
    with opened(arguments.image) as image, _saying(arguments.image):
        for finding in check(image):
            counts[finding.severity] += 1
            if counts.total() <= SHOWN:
                say(f"{finding.severity} {finding.code}: {finding.text}")
    if counts.total() > SHOWN:
        say(f"... and {counts.total() - SHOWN} more")
    errors, warnings = (counts[severity] for severity in Severity)
    say(f"{arguments.image}: {_number(errors, 'error')}, {_number(warnings, 'warning')}")
    return FAILED if errors else 0


def _repair(arguments: argparse.Namespace) -> int:
    path = arguments.image
    with opened(path, unsure=True) as image:
        known, clean = is_an_image(image), next(check(image), None) is None
    if stat.S_ISBLK(os.stat(path).st_mode):
        raise Refusal(f"{path} is a disk: copy it to a file, and repair that.")
    done: list[str] = []
    if not clean:
        with _saying(path), draft(path) as place, open(place, "r+b", buffering=0) as file:
            try:
                done = repair(FileImage(file.fileno()))
            except Hopeless as why:
                refused = Failure if known else Refusal
                raise refused(f"{path} can't be repaired: {why}; it was not changed.") from None
    for sentence in done:
        say(f"{sentence}.")
    say(f"{path}: {'repaired' if done else 'nothing to repair'}")
    return 0


def _number(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'s' * (count != 1)}"


def _require_image(path: str) -> None:
    with opened(path):
        pass


def _require_source(path: str | None) -> None:
    if path is not None and not os.path.exists(path):
        raise Refusal(f"there is no directory or tar file {path}.")


def _require_nothing(path: str) -> None:
    if os.path.lexists(path):
        raise Refusal(f"{path} is there already.")


def _refuse_itself(image: str, source: str) -> None:
    folder, inside = (os.path.realpath(path) for path in (source, image))
    if os.path.commonpath([folder, inside]) == folder:
        raise Refusal(f"{image} lies in {source}: an image can't hold itself.")


def _report(sentences: list[str]) -> None:
    for sentence in sentences:
        print(f"twinos: {sentence}", file=sys.stderr)


@contextmanager
def _saying(image: str, hint: str = "") -> Iterator[None]:
    """Turn what the host or the file system refuses into a failure with one sentence."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        more = {errno.EUCLEAN: LOOK, errno.ENOSPC: hint}.get(error.errno or 0, "")
        raise Failure(f"{image}: {reason(error)}{more}.") from None
