"""Images made, filled, read and exported from the command line."""

import hashlib
import lzma
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lab
from kernels import boot
from lab import cli
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.filesystem.check import MemoryImage, check
from tests.servers.images import fsck

ROOT = Path(lab.__file__).parent.parent
DATA = ROOT / "tests" / "data"
TYPES = {"f": "-", "d": "d", "l": "l", "p": "p", "c": "c", "b": "b"}
GRUB = shutil.which("grub-fstest")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make devices")

Snapshot = dict[str, tuple[object, ...]]


def image_of(*arguments: object) -> int:
    return cli.main(["image", *map(os.fspath, map(str, arguments))])


def done(*arguments: object) -> None:
    assert image_of(*arguments) == 0


def clean(image: Path) -> bool:
    return fsck(str(image)) == "" and not [*check(MemoryImage(bytearray(image.read_bytes())))]


def snapshot(top: Path) -> Snapshot:
    """All that is to be kept of a tree; files that are one file have the same first name."""
    first: dict[int, str] = {}
    found: Snapshot = {}
    for place in [str(top), *sorted(walk(str(top)))]:
        path, info = os.path.relpath(place, top), os.lstat(place)
        kind = stat.S_IFMT(info.st_mode)
        content: object = None
        if kind == stat.S_IFREG:
            content = Path(place).read_bytes()
        elif kind == stat.S_IFLNK:
            content = os.readlink(place)
        elif kind in {stat.S_IFCHR, stat.S_IFBLK}:
            content = info.st_rdev
        links = 0 if kind == stat.S_IFDIR else info.st_nlink
        same = first.setdefault(info.st_ino, path)
        times = info.st_atime_ns // 10**9 if kind == stat.S_IFIFO else 0, info.st_mtime_ns // 10**9
        found[path] = (info.st_mode, links, same, info.st_uid, info.st_gid, times, content)
    return found


def walk(top: str) -> Iterator[str]:
    for folder, directories, files in os.walk(top):
        yield from (os.path.join(folder, name) for name in directories + files)


NAMES = st.one_of(
    st.sampled_from(["a", "b", "c", "é", "\udcff", "name", "x" * 60]),
    st.binary(min_size=1, max_size=60).map(os.fsdecode),
).filter(lambda name: name not in {".", ".."} and "/" not in name and "\0" not in name)
CONTENTS = st.one_of(
    st.binary(max_size=200),
    st.integers(0, 400_000).map(lambda size: random.Random(size).randbytes(size)),
)


@st.composite
def steps(draw: st.DrawFn) -> tuple[object, ...]:
    """One file to be made: kind, name, where it is, mode, seconds, and what is in it."""
    kind = draw(st.sampled_from(["file", "file", "sparse", "dir", "dir", "link", "hard", "fifo"]))
    mode = draw(st.sampled_from([0o644, 0o755, 0o600, 0o4755, 0o2711, 0o1777, 0o700]))
    seconds = draw(st.integers(0, 2**32 - 1))
    return kind, draw(NAMES), draw(st.integers(0, 20)), mode, seconds, draw(CONTENTS)


def plant(top: str, tree: list[tuple[object, ...]]) -> None:
    """Make a tree; steps that make no sense where they come are left out."""
    directories, files = [top], []
    made: list[tuple[str, int, int]] = []
    for kind, name, where, mode, seconds, content in tree:
        place = os.path.join(directories[where % len(directories)], name)
        if os.path.lexists(place):
            continue
        if kind == "dir":
            os.mkdir(place)
            directories.append(place)
        elif kind in {"file", "sparse"}:
            with open(place, "wb") as file:
                file.seek(where * 9000 if kind == "sparse" else 0)
                file.write(content)
                file.truncate(file.tell() + (5000 if kind == "sparse" else 0))
            files.append(place)
        elif kind == "link":
            os.symlink(name, place)
        elif kind == "fifo":
            os.mkfifo(place)
        elif files:
            os.link(files[where % len(files)], place)
        made.append((place, mode, seconds))
    for place, mode, seconds in reversed(made):
        if os.path.lexists(place) and not os.path.islink(place):
            os.chmod(place, mode | (0o700 if os.path.isdir(place) else 0o400))
            os.utime(place, (seconds, seconds))
    os.utime(top, (1, 2))


@settings(max_examples=40)
@given(tree=st.lists(steps(), max_size=25), through_tar=st.booleans())
def test_what_is_imported_is_exported(tree: list[tuple[object, ...]], through_tar: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, image, out = (Path(folder, name) for name in ("source", "image", "out"))
        source.mkdir()
        plant(str(source), tree)
        before = snapshot(source)
        done("create", image, source)
        assert clean(image)
        if through_tar:
            tar, second = Path(folder, "tree.tar"), Path(folder, "second")
            done("export", image, tar)
            done("create", second, tar)
            assert clean(second)
            image = second
        bytes_before = image.read_bytes()
        done("export", image, out)
        assert snapshot(out) == before == snapshot(source)
        assert image.read_bytes() == bytes_before, "what is only read does not change"
        assert max(os.listdir(folder)) in {"source", "tree.tar"}, "nothing is left"


@pytest.mark.parametrize("kernel", ["microkernel", "hybrid:filesystem+disk", "hybrid:clock"])
def test_any_kernel_will_do(kernel: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(bytes(3000) + b"end")
    os.symlink("a", source / "l")
    kernels = ("--kernel", kernel)
    done("create", tmp_path / "i", *kernels)
    done("import", tmp_path / "i", source, "--to", "/x/y", *kernels)
    done("export", tmp_path / "i", tmp_path / "out", "--from", "/x/y", *kernels)
    assert snapshot(tmp_path / "out") == snapshot(source)
    assert clean(tmp_path / "i")


@pytest.fixture
def linux_image(tmp_path: Path) -> Path:
    image = tmp_path / "linux.img"
    image.write_bytes(lzma.decompress((DATA / "linux-minix-v3.img.xz").read_bytes()))
    return image


@needs_root
def test_what_linux_wrote_is_exported_as_its_manifest_says(
    linux_image: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done("export", linux_image, out)
    said = set()
    for line in (DATA / "linux-minix-v3.tsv").read_bytes().splitlines():
        path, kind, mode, links, uid, gid, size, _, mtime, target = line.split(b"\t")
        found = os.lstat(os.path.join(os.fsencode(out), path))
        said.add(os.fsdecode(path))
        assert stat.filemode(found.st_mode)[0] == TYPES[kind.decode()]
        assert stat.S_IMODE(found.st_mode) == int(mode, 8)
        assert (found.st_uid, found.st_gid) == (int(uid), int(gid))
        assert found.st_mtime_ns // 10**9 == int(float(mtime))
        if kind != b"d":
            assert found.st_nlink == int(links)
        if kind == b"f":
            assert found.st_size == int(size)
        if kind == b"l":
            assert os.readlink(os.path.join(os.fsencode(out), path)) == target
    assert said == {".", *(f"./{os.path.relpath(place, out)}" for place in walk(str(out)))}
    for line in (DATA / "linux-minix-v3.sha256").read_bytes().splitlines():
        digest, path = line.split(b"  ", 1)
        content = (out / os.fsdecode(path)).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest.decode()


@pytest.mark.skipif(GRUB is None, reason="grub-fstest (package grub-common) is not installed")
def test_an_independent_reader_sees_what_was_imported(tmp_path: Path) -> None:
    source, image = tmp_path / "source", tmp_path / "image"
    (source / "d" / "e").mkdir(parents=True)
    sizes = (0, 1, 1024, 7168, 7169, 269_312, 300_000, 2_000_000)
    for size in sizes:
        (source / "d" / f"{size:060}").write_bytes(random.Random(size).randbytes(size))
    with open(source / "sparse", "wb") as file:
        file.seek(70_000_000)
        file.write(b"far")
    done("create", image, source)
    for name in [*(f"d/{size:060}" for size in sizes), "sparse"]:
        grub("cmp", f"/{name}", source / name, image=image)
        assert grub("cat", f"/{name}", image=image) == (source / name).read_bytes()
    listed = grub("ls", "/d/", image=image).decode().split()
    assert sorted(listed) == sorted([*(f"{size:060}" for size in sizes), "e/"])


def grub(*command: object, image: Path) -> bytes:
    asked = [str(GRUB), str(image), *map(str, command)]
    answer = subprocess.run(asked, capture_output=True, check=True)
    return answer.stdout


@needs_root
def test_devices_and_owners_are_kept_by_root(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    os.mknod(source / "c", stat.S_IFCHR | 0o620, os.makedev(4, 255))
    os.mknod(source / "b", stat.S_IFBLK | 0o640, os.makedev(255, 0))
    os.mknod(source / "large", stat.S_IFCHR | 0o620, os.makedev(400, 1))
    os.mknod(source / "s", stat.S_IFSOCK | 0o755)
    os.chown(source / "c", 65_534, 100)
    done("create", tmp_path / "i", source)
    done("export", tmp_path / "i", tmp_path / "out")
    (source / "large").unlink()
    os.utime(source, ns=(0, (tmp_path / "out").stat().st_mtime_ns))
    assert snapshot(tmp_path / "out") == snapshot(source)


def test_what_cannot_be_kept_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    os.mkfifo(source / "f")
    os.mknod(source / "s", stat.S_IFSOCK | 0o755)
    os.link(source / "s", source / "t")
    done("create", tmp_path / "i", source)
    assert capsys.readouterr().err == ""
    done("export", tmp_path / "i", tmp_path / "o.tar")
    assert capsys.readouterr().err == (
        "twinos: left out 's': a tar file can't hold a socket.\n"
        "twinos: left out 't': one more name of what was left out.\n"
    )

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "mknod", refuse)
    done("export", tmp_path / "i", tmp_path / "out")
    assert "left out 'f' and 1 more: only root may make" in capsys.readouterr().err


def test_listing(linux_image: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    done("ls", linux_image)
    names = capfdbinary.readouterr().out.splitlines()
    assert b"bad\xffname" in names or any(b"bad" in name for name in names)
    assert names == sorted(names)
    done("ls", linux_image, "-l", "/chr")
    (line,) = capfdbinary.readouterr().out.splitlines()
    assert line.startswith(b"crw-r--r-- 1 0 0 ")
    assert line.endswith(b" /chr")
    done("ls", linux_image, "/a", "-lR")
    listed = capfdbinary.readouterr().out
    assert b"/a/b/c/d:\n" in listed
    assert b"rel -> ../direct" in listed


def test_reading_one_file(linux_image: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    done("cat", linux_image, "/a/rel")
    assert len(capfdbinary.readouterr().out) == 7168
    assert image_of("cat", linux_image, "/a") == cli.FAILED
    assert image_of("cat", linux_image, "/nobody") == cli.FAILED
    said = capfdbinary.readouterr().err.decode()
    assert said.count("\n") == 2
    assert "No such file or directory: /nobody" in said


def test_import_replaces_files_and_merges_directories(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, names in ((first, ("same", "old")), (second, ("same", "new"))):
        (folder / "d").mkdir(parents=True)
        for name in names:
            (folder / "d" / name).write_text(folder.name)
    done("create", tmp_path / "i", first)
    done("import", tmp_path / "i", second)
    done("export", tmp_path / "i", tmp_path / "out")
    found = {path.name: path.read_text() for path in (tmp_path / "out" / "d").iterdir()}
    assert found == {"same": "second", "old": "first", "new": "second"}
    assert clean(tmp_path / "i")


def test_a_failed_import_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"a" * 100_000)
    (source / "b").write_bytes(b"b" * 3_000_000)
    image = tmp_path / "i"
    done("create", image, "--size", "1M")
    before = image.read_bytes()
    assert image_of("import", image, source) == cli.FAILED
    assert "No space left on device" in capsys.readouterr().err
    assert image.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["i", "source"]


@pytest.mark.parametrize("target", ["out", "out.tar", "out.tar.xz"])
def test_a_failed_export_leaves_nothing(
    linux_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    with open(linux_image, "r+b") as file:
        file.seek(2048)
        file.write(bytes(2))  # inodes 1 to 15 are marked free
    assert image_of("export", linux_image, tmp_path / target) == cli.FAILED
    assert "twinos image check` says more" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["linux.img"]


def test_a_tree_too_deep_for_paths_is_not_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What had been written of it goes, though it is deeper than Python can call itself."""
    config: Any = {Disk: {"image": str(tmp_path / "image"), "blocks": 4000}}
    with boot("monolithic", FileSystem, config=config) as system:
        files = system[FileSystem]
        for _ in range(1100):
            files.mkdir("ddd")
            files.chdir("ddd")
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        assert image_of("export", tmp_path / "image", tmp_path / name) == cli.FAILED
        said = capsys.readouterr().err
        assert "File name too long" in said
        assert said.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["empty", "image"]
    assert os.listdir(tmp_path / "empty") == []


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    source = tmp_path / "source"
    source.mkdir()
    monkeypatch.setattr("lab.image_system.FilesWriter.finish", interrupt)
    assert image_of("create", tmp_path / "i", source) == cli.INTERRUPTED
    assert os.listdir(tmp_path) == ["source"]


def test_interrupted_from_the_keyboard(tmp_path: Path) -> None:
    """A FIFO that nobody fills stands for a source that takes its time."""
    os.mkfifo(tmp_path / "endless.tar")
    command = [sys.executable, "-P", "-m", "lab", "image", "create", "i", "endless.tar"]
    with subprocess.Popen(
        [*command, "--kernel", "microkernel"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        writer = -1
        while writer < 0 and process.poll() is None:
            with suppress(OSError):  # nobody reads yet
                writer = os.open(tmp_path / "endless.tar", os.O_WRONLY | os.O_NONBLOCK)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
        os.close(writer)
    assert said == "twinos: interrupted.\n"
    assert process.returncode == cli.INTERRUPTED
    assert os.listdir(tmp_path) == ["endless.tar"]


def test_a_closed_pipe_is_no_error(linux_image: Path) -> None:
    source, sink = os.pipe()
    os.close(source)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "lab", "image", "ls", "-R", str(linux_image)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=sink,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(sink)
        _, said = process.communicate(timeout=30)
    assert said == ""


def test_progress_is_shown_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    done("create", tmp_path / "i", tmp_path / "source")
    assert "import" in capsys.readouterr().err


def test_the_root_of_a_new_image_is_its_makers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    monkeypatch.setattr(os, "getegid", lambda: 70_000)  # more than the format can say
    image = tmp_path / "image"
    assert cli.main(["image", "create", str(image), "--size", "1M"]) == 0
    with boot("monolithic", FileSystem, config={Disk: {"image": str(image)}}) as system:
        found = system[FileSystem].stat("/")
    assert (found.st_uid, found.st_gid) == (1234, 65534)
