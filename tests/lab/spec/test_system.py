"""What programs do with `twinos://`: the host's files, by fsspec or Python, as the oracle."""

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import cli
from lab.refusal import Refusal
from lab.spec import TwinOSFileSystem


@pytest.fixture(params=["monolithic", "microkernel"])
def fs(request: pytest.FixtureRequest) -> Iterator[Any]:
    files = TwinOSFileSystem(kernel=request.param, skip_instance_cache=True)
    yield files
    files.close()


@pytest.fixture
def image(tmp_path: Path) -> Iterator[dict[str, Any]]:
    options = {"image": str(tmp_path / "image"), "size": 1 << 20}
    yield options
    fsspec.filesystem("twinos", **options).close()


def test_a_table_by_url(image: dict[str, Any]) -> None:
    rows = [["name", "year"], ["Ada", "1815"], ["Grace", "1906"]]
    with fsspec.open("twinos://data/people.csv", "w", newline="", **image) as file:
        csv.writer(file).writerows(rows)
    with fsspec.open("twinos:///data/people.csv", "r", newline="", **image) as file:
        assert list(csv.reader(file)) == rows
    with fsspec.open("twinos://data/more.json.gz", "wt", compression="infer", **image) as file:
        json.dump(rows, file)
    found = fsspec.filesystem("twinos", **image)
    assert found.ls("twinos://data", detail=False) == ["/data/more.json.gz", "/data/people.csv"]
    assert json.loads(gzip.decompress(found.cat_file("/data/more.json.gz"))) == rows


def test_pandas(image: dict[str, Any]) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1, 2], "b": ["x", "ä"]})
    table.to_csv("twinos://new/table.csv", index=False, storage_options=image)
    again = pandas.read_csv("twinos://new/table.csv", storage_options=image)
    assert table.equals(again)


def test_it_is_in_the_image(image: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    first = fsspec.filesystem("twinos", **image)
    first.pipe_file("/kept", b"kept")
    assert fsspec.filesystem("twinos", **image) is first
    with pytest.raises(OSError, match="in use by another system"):
        TwinOSFileSystem(image=image["image"], skip_instance_cache=True)
    first.close()
    assert cli.main(["image", "cat", image["image"], "/kept"]) == 0
    assert cli.main(["image", "check", image["image"]]) == 0
    reader = fsspec.filesystem("twinos", image=image["image"], read_only=True)
    assert reader.cat("/kept") == b"kept"
    with pytest.raises(OSError, match="Read-only"):
        reader.pipe_file("/kept", b"changed")
    reader.close()
    assert fsspec.filesystem("twinos", **image).exists("/kept")
    capsys.readouterr()


def test_no_such_kernel() -> None:
    with pytest.raises(Refusal, match="there is no kernel"):
        TwinOSFileSystem(kernel="linux")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.binary(max_size=300)),
        st.tuples(st.just("read"), st.integers(-1, 300)),
        st.tuples(st.just("seek"), st.integers(0, 500)),
        st.tuples(st.just("truncate"), st.integers(0, 500)),
        st.tuples(st.just("flush")),
        st.tuples(st.just("tell")),
    ),
    max_size=12,
)


@pytest.mark.parametrize("mode", ["rb", "r+b", "wb", "w+b", "ab", "a+b", "xb"])
def test_an_open_file_is_as_pythons(mode: str, tmp_path: Path) -> None:
    files = TwinOSFileSystem(skip_instance_cache=True)
    place = tmp_path / "file"

    @given(st.binary(max_size=400), STEPS)
    def check(before: bytes, steps: Any) -> None:
        files.pipe_file("/file", before)
        place.write_bytes(before)
        if mode == "xb":
            files.rm("/file")
            place.unlink()
        with files.open("/file", mode) as ours, open(place, mode) as theirs:
            for name, *arguments in steps:
                assert outcome(ours, name, *arguments) == outcome(theirs, name, *arguments), name
        assert files.cat_file("/file") == place.read_bytes()

    check()
    files.close()


def outcome(file: Any, name: str, *arguments: Any) -> Any:
    try:
        return getattr(file, name)(*arguments)
    except (OSError, ValueError) as error:
        return type(error)


def test_whole_files_and_parts(fs: Any) -> None:
    data = os.urandom(3_000_001)
    fs.pipe_file("/large", data)
    assert fs.cat_file("/large") == data
    assert fs.cat_file("/large", 5, 70_000) == data[5:70_000]
    assert fs.tail("/large", 10) == data[-10:]
    assert fs.size("/large") == len(data)
    with fs.open("/large", "rb", block_size=100) as file:
        assert file.size == len(data)
        assert file.seek(-3, io.SEEK_END) == len(data) - 3
        assert file.read() == data[-3:]


def test_names_and_what_is_known_of_them(fs: Any) -> None:
    fs.pipe({"/d/one": b"1", "/d/e/two": b"22"})
    fs.files.symlink("/d/one", "/link")
    fs.files.symlink("/nowhere", "/broken")
    assert fs.find("/") == ["/broken", "/d/e/two", "/d/one", "/link"]
    assert fs.du("/d") == 3
    assert fs.glob("/d/**/t*") == ["/d/e/two"]
    link, broken = fs.info("/link"), fs.info("/broken")
    assert (link["type"], link["size"], link["destination"]) == ("file", 1, "/d/one")
    assert broken["type"] == "other"
    assert (fs.exists("/broken"), fs.lexists("/broken")) == (False, True)
    assert fs.isdir("/d")
    assert not fs.isfile("/d")
    assert fs.modified("/d/one") <= fs.created("/d/one")
    fs.mv("/d/one", "/d/e/")
    fs.touch("/d/e/two", truncate=False)
    assert fs.cat("/d/e/*") == {"/d/e/one": b"1", "/d/e/two": b"22"}
    fs.touch("/d/e/two")
    assert fs.size("/d/e/two") == 0
    with pytest.raises(FileExistsError):
        fs.makedirs("/d/e")
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir("/d")
    for wrong in (lambda: fs.info("/missing"), lambda: fs.ls("/missing"), lambda: fs.rm("/none")):
        with pytest.raises(FileNotFoundError):
            wrong()
    fs.rm("/d", recursive=True)
    assert fs.ls("/", detail=False) == ["/broken", "/link"]


def test_directories_as_deep_as_paths_can_be(fs: Any) -> None:
    deep = "/x" * 2000  # twice as many as calls may be nested
    fs.makedirs(f"{deep}/", exist_ok=True)
    assert fs.isdir(deep)
    with pytest.raises(OSError, match="too long"):
        fs.makedirs("/y" * 3000)
    fs.pipe_file("/file", b"")
    with pytest.raises(FileExistsError):
        fs.makedirs("/file/below")


def test_a_transaction_is_whole_or_absent(fs: Any) -> None:
    with fs.transaction:
        with fs.open("/new", "wb") as file:
            file.write(b"content")
        assert not fs.exists("/new")
    assert fs.cat_file("/new") == b"content"
    with pytest.raises(LookupError), fs.transaction:  # noqa: PT012 (the block is what fails)
        with fs.open("/new", "wb") as file:
            file.write(b"other")
        raise LookupError
    assert fs.cat_file("/new") == b"content"
    assert fs.ls("/", detail=False) == ["/new"]


def test_threads(fs: Any) -> None:
    data = {f"/{number}": os.urandom(50_000) for number in range(16)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: fs.pipe_file(*each), data.items()))
        assert list(pool.map(fs.cat_file, data)) == list(data.values())
