"""The key-value store: a dictionary is its model, and the log its memory."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import boot
from lab.agreement import check_agreement
from servers.disk import Disk
from servers.examples.keyvalue import MAX_KEY, MAX_VALUE, KeyValue
from servers.filesystem import FileSystem
from tests.conftest import Kernel
from tests.servers.examples.mortals import kill

LOG = "/keyvalue.log"
keys = st.sampled_from(["a", "b", "c", "\udc80", "é"])
values = st.binary(max_size=9) | st.sampled_from([b"", b"x" * 3000])


def config(image: Path) -> dict[type, dict[str, object]]:
    return {Disk: {"image": str(image), "blocks": 2048}}


def contents(store: KeyValue) -> dict[str, bytes]:
    listed = store.keys()
    return {key: store.get(key) for key in listed}


def test_the_kernels_agree() -> None:
    check_agreement(KeyValue, config={Disk: {"blocks": 512}, FileSystem: {"time": 0}})


@given(st.lists(st.tuples(keys, st.none() | values), max_size=40))
def test_it_is_a_dictionary_that_can_be_read_again(
    changes: list[tuple[str, bytes | None]],
) -> None:
    model: dict[str, bytes] = {}
    with boot("monolithic", KeyValue, config={Disk: {"blocks": 1024}}) as system:
        store = system[KeyValue]
        for key, value in changes:
            if value is None:
                store.delete(key)
                model.pop(key, None)
            else:
                store.put(key, value)
                model[key] = value
            assert store.keys() == tuple(sorted(model))
        again = KeyValue(system[FileSystem])
        for reader in (store, again):
            assert contents(reader) == model
        again.compact()
        third = KeyValue(system[FileSystem])
        assert contents(third) == model
        records = sum(
            12 + len(k.encode("utf-8", "surrogatepass")) + len(v) for k, v in model.items()
        )
        assert system[FileSystem].stat(LOG).st_size == records


def test_what_was_put_outlives_the_system(kernel: Kernel, tmp_path: Path) -> None:
    for life in range(3):
        with kernel.boot(KeyValue, config=config(tmp_path / "disk")) as system:
            store = system[KeyValue]
            assert store.keys() == tuple(map(str, range(life)))
            store.put(str(life), b"x" * life)


def test_a_record_that_is_not_whole_does_not_count(tmp_path: Path) -> None:
    with boot("monolithic", KeyValue, config=config(tmp_path / "disk")) as system:
        fs = system[FileSystem]
        system[KeyValue].put("first", b"1")
        whole = fs.stat(LOG).st_size
        system[KeyValue].put("second", b"2" * 100)
        size = fs.stat(LOG).st_size
        for cut in range(whole, size):
            fs.truncate(LOG, cut)
            assert KeyValue(fs).keys() == ("first",)
            assert fs.stat(LOG).st_size == whole, "the rest would stand in the way of the next"


def test_a_record_that_was_damaged_ends_the_log(tmp_path: Path) -> None:
    with boot("monolithic", KeyValue, config=config(tmp_path / "disk")) as system:
        fs = system[FileSystem]
        system[KeyValue].put("first", b"1")
        at = fs.stat(LOG).st_size
        system[KeyValue].put("second", b"2")
        fd = fs.open(LOG, os.O_WRONLY)
        fs.pwrite(fd, b"3", fs.stat(LOG).st_size - 1)
        assert KeyValue(fs).keys() == ("first",)
        assert fs.stat(LOG).st_size == at


def test_the_log_is_written_anew_when_most_of_it_is_garbage(kernel: Kernel) -> None:
    with kernel.boot(KeyValue, config={Disk: {"blocks": 8192}}) as system:
        for number in range(40):
            system[KeyValue].put("same", bytes([number]) * 100_000)
        assert system[KeyValue].get("same") == bytes([39]) * 100_000
        assert system[FileSystem].stat(LOG).st_size < 1_500_000
        assert system[FileSystem].listdir("/") == ("keyvalue.log",)


def test_a_full_disk_takes_nothing_back(kernel: Kernel) -> None:
    with kernel.boot(KeyValue, config={Disk: {"blocks": 256}}) as system:
        store = system[KeyValue]
        store.put("kept", b"1" * 1000)
        with pytest.raises(OSError, match="No space left"):
            store.put("large", b"2" * 1_000_000)
        assert store.keys() == ("kept",)
        store.put("small", b"3")
        assert (store.get("kept"), store.get("small")) == (b"1" * 1000, b"3")


@pytest.mark.parametrize("victim", [KeyValue, Disk])
def test_no_client_notices_that_a_server_was_killed(victim: type, tmp_path: Path) -> None:
    with boot("microkernel", KeyValue, config=config(tmp_path / "disk")) as system:
        store = system[KeyValue]
        for number in range(8):
            store.put("number", bytes([number]))
            kill(victim)
            assert store.get("number") == bytes([number])
        kill(victim)  # what is written back at the end still needs it
    with boot("monolithic", KeyValue, config=config(tmp_path / "disk")) as system:
        assert system[KeyValue].get("number") == bytes([7])


def test_what_is_no_key_or_too_large_is_refused(kernel: Kernel) -> None:
    with kernel.boot(KeyValue, config={Disk: {"blocks": 512}}) as system:
        store = system[KeyValue]
        for key, value, code in (
            ("", b"", errno.EINVAL),
            ("k" * (MAX_KEY + 1), b"", errno.EINVAL),
            ("k", bytes(MAX_VALUE + 1), errno.EFBIG),
        ):
            with pytest.raises(OSError) as caught:  # noqa: PT011 (the errno is looked at)
                store.put(key, value)
            assert caught.value.errno == code
        with pytest.raises(FileNotFoundError):
            store.get("k")
        store.delete("k")
        store.put("k" * MAX_KEY, b"")


class _SyncFails:
    """A file system of which `sync` fails."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def sync(self) -> None:
        raise OSError(errno.EIO, "the medium")


def test_what_is_put_after_a_sync_that_failed_is_in_the_new_log() -> None:
    """The rename has happened: what goes to the old log, nobody ever reads."""
    with boot("monolithic", FileSystem) as system:
        files: Any = _SyncFails(system[FileSystem])
        store = KeyValue(files)
        store.put("a", b"1")
        with pytest.raises(OSError, match="the medium"):
            store.compact()
        store.put("b", b"2")
        assert KeyValue(files).keys() == ("a", "b")
