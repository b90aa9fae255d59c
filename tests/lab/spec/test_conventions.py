"""fsspec's own tests of what a file system is, on ours."""

from collections.abc import Iterator
from typing import Any

import fsspec
import pytest
from fsspec.tests.abstract import AbstractFixtures
from fsspec.tests.abstract.copy import AbstractCopyTests
from fsspec.tests.abstract.get import AbstractGetTests
from fsspec.tests.abstract.open import AbstractOpenTests
from fsspec.tests.abstract.pipe import AbstractPipeTests
from fsspec.tests.abstract.put import AbstractPutTests


@pytest.fixture(scope="module", params=["monolithic", "microkernel"])
def booted(request: pytest.FixtureRequest) -> Iterator[Any]:
    files = fsspec.filesystem("twinos", kernel=request.param, skip_instance_cache=True)
    yield files
    files.close()


class Fixtures(AbstractFixtures):
    @pytest.fixture
    def fs(self, booted: Any) -> Any:
        return booted

    @pytest.fixture
    def fs_path(self) -> str:
        return "/"

    @pytest.fixture
    def fs_join(self) -> Any:
        return lambda *parts: "/".join(parts).replace("//", "/")


class TestCopy(AbstractCopyTests, Fixtures): ...


class TestGet(AbstractGetTests, Fixtures): ...


class TestOpen(AbstractOpenTests, Fixtures): ...


class TestPipe(AbstractPipeTests, Fixtures): ...


class TestPut(AbstractPutTests, Fixtures): ...
