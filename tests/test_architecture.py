"""The house stands: every arrow points down, nothing is pickled, no file is too long to read."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "twinos": set(),
    "kernels": {"twinos"},
    "servers": {"twinos"},
    "workloads": {"servers", "twinos"},
    "lab": {"workloads", "servers", "kernels", "twinos"},
    "assignments": {"lab", "workloads", "servers", "kernels", "twinos"},
}
RUN_TIME = {"msgspec", "tabulate", "tqdm"}
PYTHONS_OWN = {"_testinternalcapi"}  # where it is; not of the documented library
EXTRAS = {
    "kernels/cell.py": {"pyseccomp"},
    "lab/report/bootstrap.py": {"numpy", "scipy"},
    "lab/report/html.py": {"jinja2", "markupsafe"},
    "lab/drawing.py": {"matplotlib"},
    "lab/agreement.py": {"hypothesis"},  # for tests of services: the extra `dev` brings it
    "lab/spec/system.py": {"fsspec"},
    "lab/ladder/peers.py": {"grpc", "zmq"},
    "lab/ladder/peer_server.py": {"grpc", "zmq"},
    "lab/peers/measure.py": {"fs", "fsspec"},
    "lab/peers/minimal.py": {"mfusepy"},
    "lab/mount/operations.py": {"pyfuse3"},
    "lab/mount/reply.py": {"pyfuse3"},
    "lab/mount/session.py": {"pyfuse3", "trio"},
    "lab/mount/state.py": {"pyfuse3"},
    "lab/top/app.py": {"rich", "textual"},
    "workloads/sqlite/__init__.py": {"apsw"},  # for its types
    "workloads/sqlite/vfs.py": {"apsw"},
}
FORBIDDEN = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
LONGEST = 310  # lines: about 300
LONGER: dict[str, str] = {}  # file: why it may be longer


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[str]:
    """The top-level names of all that a module imports, anywhere in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {
            "__import__",
            "import_module",
            "importlib.import_module",
        }:
            match node.args:
                case [ast.Constant(value=str(name)), *_]:
                    yield name.partition(".")[0]


OURS = [path for folder in MAY_IMPORT for path in modules(folder)]
ALL = [*OURS, *modules("tests"), *modules("benchmarks")]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_arrows_point_down(folder: str) -> None:
    assert modules(folder)
    wrong = {
        name(path): upward
        for path in modules(folder)
        if (upward := (set(imports(path)) & set(MAY_IMPORT)) - MAY_IMPORT[folder] - {folder})
    }
    assert not wrong


def test_run_time_imports_are_few() -> None:
    known = set(sys.stdlib_module_names) | set(MAY_IMPORT) | RUN_TIME | PYTHONS_OWN
    foreign = {
        name(path): found
        for path in OURS
        if (found := set(imports(path)) - known - EXTRAS.get(name(path), set()))
    }
    assert not foreign


def test_the_command_line_needs_no_extra() -> None:
    program = "import sys, lab.cli, kernels, workloads; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"hypothesis", "pytest", *set().union(*EXTRAS.values())} & set(done.stdout.split())


def test_the_declared_dependencies_are_those() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[^\w-]", line, maxsplit=1)[0] for line in project["dependencies"]}
    assert declared == RUN_TIME
    assert all(importlib.metadata.version(each) for each in declared)


def test_nothing_is_pickled() -> None:
    assert not {name(path): found for path in ALL if (found := set(imports(path)) & FORBIDDEN)}


def test_the_kernels_bring_no_pickle_along_by_calling_it() -> None:
    used = re.compile(r"\b(multiprocessing|concurrent\.futures|copyreg|__reduce(_ex)?__)\b")
    measured = {"lab/ladder/peers.py", "lab/ladder/peer_server.py"}  # others' ways, beside ours
    found = [name(path) for path in OURS if used.search(path.read_text())]
    assert set(found) == measured


def test_modules_are_read_in_one_sitting() -> None:
    long = {
        name(path): length
        for path in OURS
        if (length := len(path.read_text().splitlines())) > LONGEST and name(path) not in LONGER
    }
    assert not long
    assert all(len((ROOT / path).read_text().splitlines()) > LONGEST for path in LONGER)


def test_functions_fit_a_glance() -> None:
    lengths = sorted(
        (node.end_lineno or 0) - node.body[0].lineno + 1 - (ast.get_docstring(node) is not None)
        for path in OURS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) // 2] < 10


def test_every_module_says_what_it_is() -> None:
    silent = [name(path) for path in OURS if not ast.get_docstring(tree(path))]
    assert not silent


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_every_package_is_typed(folder: str) -> None:
    assert (ROOT / folder / "__init__.py").is_file()
    assert (ROOT / folder / "py.typed").is_file()


def test_no_service_sleeps_or_locks() -> None:
    """Requests come one at a time; who waits yields a signal."""
    wrong = re.compile(r"\b(time|host)\.sleep\(|\bthreading\.|\basyncio\b")
    assert not [name(path) for path in modules("servers") if wrong.search(path.read_text())]


def test_no_service_asks_which_kernel_it_runs_under() -> None:
    wrong = re.compile(r"""["'](monolithic|microkernel|hybrid)["']""")
    found = [p for f in ("servers", "workloads") for p in modules(f) if wrong.search(p.read_text())]
    assert not found


def test_a_service_may_be_imported_without_a_kernel() -> None:
    program = (
        "import sys, servers.filesystem, servers.disk, servers.memory, servers.clock, twinos\n"
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in {'kernels', 'lab'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
