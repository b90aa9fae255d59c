"""What the image commands say no to: wrong usage, and tar files that mean harm."""

import io
import os
import random
import stat
import tarfile
from pathlib import Path

import pytest

from kernels import boot
from lab import cli
from servers.disk import Disk
from servers.filesystem.check import MemoryImage, check


def image_of(*arguments: object) -> int:
    try:
        return cli.main(["image", *map(str, arguments)])
    except SystemExit as ended:
        return int(str(ended.code))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    assert image_of("create", tmp_path / "image", "--size", "1M") == 0
    return tmp_path / "image"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "image"], "image is there already"),
        (["create", "new", "--size", "5K"], "5 blocks are too few"),
        (["create", "new", "--size", "8Q"], "--size is a number of bytes"),
        (["create", "new", "--size", "1025"], "--size is a number of KiB"),
        (["create", "new", "--inodes", "0"], "no number of files"),
        (["create", "new", "--inodes", "99999999"], "too few"),
        (["create", "new", "nothing"], "there is no directory or tar file nothing"),
        (["create", "new", "."], "new lies in .: an image can't hold itself"),
        (["create", "new", "--kernel", "linux"], "there is no kernel 'linux'"),
        (["create", "no/new"], "No such file or directory"),
        (["import", "image", "."], "image lies in ."),
        (["import", "nothing", "."], "nothing can't be opened: No such file"),
        (["import", "text", "folder"], "text holds no MINIX version 3 file system"),
        (["ls", "folder"], "folder is neither a file nor a disk"),
        (["ls", "blank"], "blank holds no MINIX version 3 file system"),
        (["ls", "empty"], "empty holds no MINIX version 3 file system"),
        (["check", "text"], "text holds no MINIX version 3 file system"),
        (["export", "image", "full"], "full is there already, and is no empty directory"),
        (["export", "image", "text"], "text is there already, and is no empty directory"),
        (["export", "image", "old.tar"], "old.tar is there already"),
        (["export", "image"], "required"),
        (["mount", "image"], "invalid choice"),
        ([], "required"),
    ],
)
def test_one_sentence(
    image: Path,
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = image.parent
    monkeypatch.chdir(folder)
    (folder / "folder").mkdir()
    (folder / "full" / "er").mkdir(parents=True)
    (folder / "text").write_text("text" * 5000)
    (folder / "blank").write_bytes(bytes(100 * 1024))
    (folder / "empty").touch()
    (folder / "old.tar").touch()
    before = sorted(os.listdir(folder))
    status = image_of(*arguments)
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert status == (cli.FAILED if "no/new" in arguments else cli.REFUSED)
    assert sorted(os.listdir(folder)) == before
    assert not any((folder / "blank").read_bytes())


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def tar_of(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as tar:
        for info in members:
            info.size = 4 if info.isreg() else 0
            tar.addfile(info, io.BytesIO(b"data") if info.isreg() else None)
    return path


LINK = member("link", tarfile.SYMTYPE, linkname="/elsewhere")


@pytest.mark.parametrize(
    "members",
    [
        [member("/absolute")],
        [member("../up")],
        [member("a/../../up")],
        [member("hard", tarfile.LNKTYPE, linkname="../up")],
        [member("hard", tarfile.LNKTYPE, linkname="missing")],
        [member("hard", tarfile.LNKTYPE, linkname="hard")],
        [LINK, member("link/through")],
        [LINK, member("hard", tarfile.LNKTYPE, linkname="link/through")],
        [LINK, member("link", tarfile.DIRTYPE)],
        [member("file"), member("file/below")],
        [member("dir", tarfile.DIRTYPE), member("dir")],
    ],
    ids=lambda members: "-".join(info.name.replace("/", "_") for info in members),
)
def test_no_member_leaves_its_place(
    image: Path, members: list[tarfile.TarInfo], capsys: pytest.CaptureFixture[str]
) -> None:
    before = image.read_bytes()
    tar = tar_of(image.parent / "t.tar", member("good"), *members)
    assert image_of("import", image, tar, "--to", "/here") == cli.FAILED
    assert capsys.readouterr().err.count("\n") == 1
    assert image.read_bytes() == before
    assert sorted(os.listdir(image.parent)) == ["image", "t.tar"]


def test_a_tar_file_without_its_directories(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = member("odd", b"Z")
    tar = tar_of(
        image.parent / "t.tar",
        member("./a/b/../c".replace("/..", "")),
        member("a/b/d", mtime=-5.5, uid=1 << 20, gid=7),
        member("a", tarfile.DIRTYPE, mode=0o700),
        LINK,
        member("link2", tarfile.LNKTYPE, linkname="link"),
        odd,
    )
    assert image_of("import", image, tar) == 0
    assert "left out 'odd'" in capsys.readouterr().err
    assert not [*check(MemoryImage(bytearray(image.read_bytes())))]
    assert image_of("ls", "-lR", image) == 0


@pytest.mark.parametrize("seed", range(12))
def test_damaged_tar_files(image: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(seed)
    tar = tar_of(image.parent / "t.tar", *(member(f"dir/file{i}") for i in range(20)))
    data = bytearray(tar.read_bytes())
    for _ in range(10):
        data[rng.randrange(len(data))] = rng.randrange(256)
    tar.write_bytes(data[: rng.randrange(len(data))])
    before = image.read_bytes()
    status = image_of("import", image, tar)
    said = capsys.readouterr().err
    assert status in {0, cli.FAILED}
    if status:
        assert said.count("\n") == 1
        assert image.read_bytes() == before
    assert not [*check(MemoryImage(bytearray(image.read_bytes())))]


def test_check_tells_errors_from_warnings(image: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert image_of("check", image) == 0
    assert capfd.readouterr().out == f"{image}: no errors, no warnings\n"
    data = bytearray(image.read_bytes())
    data[1024 + 4] = 1
    image.write_bytes(data)
    assert image_of("check", image) == 0
    assert "warning reserved: " in capfd.readouterr().out
    data[2048] = 0
    image.write_bytes(data)
    assert image_of("check", image) == cli.FAILED
    shown = capfd.readouterr().out
    assert "error inode-free: " in shown
    assert shown.endswith("1 warning\n")
    assert stat.S_ISREG(image.stat().st_mode)


def test_repair(
    image: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(image.parent)
    clean = image.read_bytes()
    assert image_of("repair", image) == 0
    assert capfd.readouterr().out == f"{image}: nothing to repair\n"
    data = bytearray(clean)
    data[1024:1055] = bytes(31)
    data[2048] = 0
    image.write_bytes(data)
    image.chmod(0o640)
    assert image_of("check", image) == cli.REFUSED
    assert image_of("repair", image) == 0
    assert capfd.readouterr().out.endswith(f"{image}: repaired\n")
    assert image.read_bytes() == clean
    assert stat.S_IMODE(image.stat().st_mode) == 0o640
    (image.parent / "text").write_text("text" * 5000)
    assert image_of("repair", "text") == cli.REFUSED
    assert "text can't be repaired: the superblock is damaged" in capfd.readouterr().err
    assert sorted(os.listdir(image.parent)) == ["image", "text"]


@pytest.mark.parametrize(
    "arguments",
    [["ls"], ["cat", "/f"], ["check"], ["repair"], ["export", "out"], ["import", "folder"]],
)
def test_an_image_in_use_is_left_alone(
    image: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    place = image.parent
    (place / "folder").mkdir()
    action, *rest = arguments
    paths = [str(place / name) if name in {"out", "folder"} else name for name in rest]
    before = image.read_bytes()
    with boot("monolithic", Disk, config={Disk: {"image": str(image)}}):
        assert image_of(action, image, *paths) == 2
    assert capsys.readouterr().err == (
        f"twinos: the disk image {str(image)!r} is in use by another system.\n"
    )
    assert image.read_bytes() == before
    assert sorted(os.listdir(place)) == ["folder", "image"]
    assert image_of("check", image) == 0
