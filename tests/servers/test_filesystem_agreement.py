"""The same service under every kernel: after the same operations the same bytes on the disk."""

import os
import random
from pathlib import Path
from typing import Any

from servers.disk import Disk
from servers.filesystem import FileSystem
from tests.servers.images import fsck, read_file, write_file


def live(files: FileSystem, rng: random.Random) -> Any:
    """A small life of a file system."""
    answers = []
    files.umask(0o027)
    for number in range(40):
        path = f"/d{rng.randrange(4)}"
        try:
            choice = rng.randrange(7)
            if choice == 0:
                files.mkdir(path)
            elif choice == 1:
                write_file(files, f"{path}/{number}", rng.randbytes(rng.randrange(40_000)))
            elif choice == 2:
                files.rename(f"{path}/{number - 1}", f"/d{rng.randrange(4)}/n{number}")
            elif choice == 3:
                files.truncate(f"{path}/{number - 1}", rng.randrange(300_000))
            elif choice == 4:
                files.symlink("x" * rng.randrange(3000), f"{path}/\udce9{number}")
            elif choice == 5:
                files.utime("/", (1.5, -3.0))
            answers += [files.listdir(path), files.stat(path)]
        except OSError as error:
            answers.append(str(error))
    return answers


def test_every_kernel_leaves_the_same_image(kernel: Any, tmp_path: Path) -> None:
    image = str(tmp_path / "image")
    config = {Disk: {"image": image, "blocks": 2000}, FileSystem: {"time": 1_234_567_890}}
    with kernel.boot(FileSystem, config=config) as system:
        answers = live(system[FileSystem], random.Random(11))
    with open(image, "rb") as file:
        written = file.read()
    assert fsck(image) == ""
    assert (answers, written) == reference(tmp_path)


def reference(tmp_path: Path) -> Any:
    """What the services do when no kernel is there."""
    from tests.servers.images import mounted
    from twinos import Caller

    image = str(tmp_path / "reference")
    with mounted(image, blocks=2000, time=1_234_567_890) as service:

        class Files:
            def __getattr__(self, name: str) -> Any:
                def call(*arguments: Any) -> Any:
                    return getattr(service, name)(Caller(1), *arguments)

                return call

        answers = live(Files(), random.Random(11))
        service._stopping()
    with open(image, "rb") as file:
        return answers, file.read()


def test_large_reads_and_writes_under_every_kernel(
    kernel: Any, tmp_path: Path, rng: random.Random
) -> None:
    image = str(tmp_path / "image")
    data = rng.randbytes(3_000_001)
    with kernel.boot(FileSystem, config={Disk: {"image": image, "blocks": 8192}}) as system:
        files = system[FileSystem]
        write_file(files, "large", data)
        assert read_file(files, "large") == data
        descriptor = files.open("large", os.O_RDONLY)
        assert files.read(descriptor, 2**62) == data
        files.close(descriptor)
    assert fsck(image) == ""
