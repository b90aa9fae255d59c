"""A new service: its file, its test and its workload, all working from the first moment.

Inside TwinOS they lie where the others lie, and are found by that. In a project of one's own they
lie flat, and the project's entry points say what they are.
"""

import keyword
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any, Final

from lab.catalogue import ENTRY_POINTS as SERVICES
from lab.catalogue import services
from lab.refusal import Refusal, unknown
from twinos import Service
from workloads.catalogue import ENTRY_POINTS as WORKLOADS

TEMPLATES: Final = Path(__file__).parent / "templates"
PROJECT: Final = "pyproject.toml"
NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the files of a service go, relative to the project.

    Attributes:
        module: what the service is imported as.
        service: its file.
        test: the file of its tests.
        workload: the file of its workloads.
        entries: of a project of one's own, what to add to its entry points, by group.
    """

    module: str
    service: Path
    test: Path
    workload: Path
    entries: Mapping[str, str]


def new_service(project: Path, name: str, depends: Sequence[str]) -> list[Path]:
    """Write the files of a service that may call those in `depends`; which they are.

    Raises:
        Refusal: the name can't be that of a service, one has it already, a file is there already,
            or a dependency is unknown. Nothing is written then.
    """
    known = services()
    class_name = _class_name(name)
    if class_name in known:
        raise Refusal(
            f"there is a service {class_name} already, in {known[class_name].__module__}."
        )
    layout = _layout(project, name, class_name)
    words = _words(
        name,
        class_name,
        layout.module,
        list(dict.fromkeys(_known(known, each) for each in depends)),
    )
    files = {
        layout.service: _filled("service", words),
        layout.test: _filled("test", words),
        layout.workload: _filled("workload", words),
    }
    for path in files:
        for taken in (path, path.with_suffix("")):
            if (project / taken).exists():
                raise Refusal(f"{taken} is there already.")
    if layout.entries and (name in sys.stdlib_module_names or find_spec(name)):
        raise Refusal(f"{name!r} is a module already, which would be hidden: name it otherwise.")
    if layout.entries:
        files[Path(PROJECT)] = _project(project / PROJECT, layout.entries, words)
    for path, text in files.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")
    return list(files)


def is_twinos(project: Path) -> bool:
    """Whether a folder is TwinOS itself."""
    path = project / PROJECT
    return path.exists() and _read(path).get("project", {}).get("name") == "twinos"


def _layout(project: Path, name: str, class_name: str) -> Layout:
    if is_twinos(project):
        return Layout(
            f"servers.{name}",
            Path("servers", f"{name}.py"),
            Path("tests/servers", f"test_{name}.py"),
            Path("workloads", f"{name}.py"),
            {},
        )
    return Layout(
        name,
        Path(f"{name}.py"),
        Path("tests", f"test_{name}.py"),
        Path(f"{name}_workload.py"),
        {SERVICES: f'{name} = "{name}:{class_name}"', WORKLOADS: f'{name} = "{name}_workload"'},
    )


def _class_name(name: str) -> str:
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise Refusal(f"{name!r} can't be a service's file: write it like key_cache.")
    return "".join(part.capitalize() for part in name.split("_"))


def _known(known: Mapping[str, type[Service]], name: str) -> type[Service]:
    by_lower = {each.lower(): service for each, service in known.items()}
    try:
        return by_lower[name.replace("_", "").lower()]
    except KeyError:
        raise unknown("service", name, known, "twinos services") from None


def _words(
    name: str, class_name: str, module: str, depends: Sequence[type[Service]]
) -> dict[str, str]:
    """What the templates leave open."""
    handles = {_snake(service.__name__): service for service in depends}
    return {
        "title": name.replace("_", " ").capitalize(),
        "class_name": class_name,
        "module": module,
        "handle": name,
        "option": name.replace("_", "-"),
        "imports": "".join(sorted(f"{_import(service)}\n" for service in depends)),
        "parameters": "".join(f"{n}: {s.__name__}, " for n, s in handles.items()),
        "documented": "".join(f"        {n}: say here what for.\n" for n in handles),
        "kept": "".join(f"        self._{n} = {n}\n" for n in handles),
    }


def _import(service: type[Service]) -> str:
    """The shortest import of a service: from its package, if that offers it."""
    package = service.__module__.rpartition(".")[0]
    offered = getattr(import_module(package), service.__name__, None) if package else None
    module = package if offered is service else service.__module__
    return f"from {module} import {service.__name__}"


def _snake(class_name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", class_name).lower()


def _filled(template: str, words: Mapping[str, str]) -> str:
    return Template((TEMPLATES / f"{template}.tmpl").read_text(encoding="utf-8")).substitute(words)


def _project(path: Path, entries: Mapping[str, str], words: Mapping[str, str]) -> str:
    """The project's pyproject.toml with its new entry points; a new one if there is none."""
    if path.exists():
        _read(path)  # refuses what is no TOML, before anything is written
        text = path.read_text(encoding="utf-8")
    else:
        text = _filled("project", words)
    for group, entry in entries.items():
        text = "\n".join(_with_entry(text.splitlines(), group, entry)) + "\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        wanted = "; ".join(f"{group}: {entry}" for group, entry in entries.items())
        raise Refusal(f"{path} can't be added to; write these entry points: {wanted}.") from None
    return text


def _with_entry(lines: Sequence[str], group: str, entry: str) -> Iterator[str]:
    header = f'[project.entry-points."{group}"]'
    for line in lines:
        yield line
        if line.strip() == header:
            yield entry
    if header not in map(str.strip, lines):
        yield from ("", header, entry)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{path} is no TOML: {error}.") from None
