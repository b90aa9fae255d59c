"""find: files below a directory."""

import stat
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

from servers.filesystem import Stat
from servers.process import Process
from workloads.programs._common import join, lstat, name_in, number, ordered, usage
from workloads.shell.patterns import matches

_TYPES: Final[dict[str, Callable[[int], bool]]] = {
    "f": stat.S_ISREG,
    "d": stat.S_ISDIR,
    "l": stat.S_ISLNK,
    "p": stat.S_ISFIFO,
    "c": stat.S_ISCHR,
    "b": stat.S_ISBLK,
}


class _Place(NamedTuple):
    path: str
    depth: int
    stat: Stat


Test = Callable[[_Place], bool]


def main(process: Process, *arguments: str) -> int:
    """`find [PATH...] [TEST | ACTION]...`.

    Tests: -name and -path PATTERN, -type C, -size [+-]N[ckM], -newer FILE, -empty, -maxdepth N,
    -mindepth N, `!`, -o, parentheses. Actions: -print, -print0, -delete, -exec COMMAND `;`.
    """
    paths = []
    rest = list(arguments)
    while rest and not rest[0].startswith("-") and rest[0] not in {"!", "("}:
        paths.append(rest.pop(0))
    finder = _Finder(process, rest)
    for path in paths or ["."]:
        finder.walk(path)
    return finder.status


class _Finder:
    def __init__(self, process: Process, rest: list[str]) -> None:
        self._process = process
        self._rest = rest
        self._least, self._most = 0, 1 << 30
        self._deletes = "-delete" in rest
        self._acts = False
        self.status = 0
        self._test = self._or()
        if rest:
            self._refuse(f"unknown predicate '{rest[0]}'")

    def walk(self, path: str, depth: int = 0) -> None:
        """Look at a path and at what is below it."""
        found = lstat(self._process, path)
        if found is None:
            self.status = self._process.complain(f"'{path}': No such file or directory")
            return
        place = _Place(path, depth, found)
        if not self._deletes:
            self._visit(place)
        if stat.S_ISDIR(found.st_mode) and depth < self._most:
            try:
                names = ordered(self._process, path)
            except OSError as error:
                self.status = self._process.complain(f"'{path}'", error)
                names = []
            for name in names:
                self.walk(join(path, name), depth + 1)
        if self._deletes:
            self._visit(place)

    def _visit(self, place: _Place) -> None:
        if place.depth >= self._least and self._test(place) and not self._acts:
            self._process.stdout.write(f"{place.path}\n")

    def _or(self) -> Test:
        tests = [self._and()]
        while self._rest[:1] in (["-o"], ["-or"]):
            self._rest.pop(0)
            tests.append(self._and())
        return lambda place: any(test(place) for test in tests)

    def _and(self) -> Test:
        tests: list[Test] = []
        while self._rest and self._rest[0] not in {"-o", "-or", ")"}:
            if self._rest[0] in {"-a", "-and"}:
                self._rest.pop(0)
            tests.append(self._primary())
        return lambda place: all(test(place) for test in tests)

    def _primary(self) -> Test:
        word = self._rest.pop(0)
        if word in {"!", "-not"}:
            inner = self._primary()
            return lambda place: not inner(place)
        if word == "(":
            inner = self._or()
            if self._rest[:1] != [")"]:
                self._refuse("expected ')'")
            self._rest.pop(0)
            return inner
        make = getattr(self, f"_on_{word[1:]}", None) if word[:1] == "-" else None
        if make is None:
            self._refuse(f"unknown predicate '{word}'")
        test: Test = make()
        return test

    def _value(self) -> str:
        if not self._rest:
            self._refuse("missing argument")
        return self._rest.pop(0)

    def _refuse(self, message: str) -> NoReturn:
        usage(self._process, message)

    def _on_name(self) -> Test:
        pattern = [(self._value(), False)]
        return lambda place: matches(pattern, name_in(place.path))

    def _on_path(self) -> Test:
        pattern = [(self._value(), False)]
        return lambda place: matches(pattern, place.path)

    def _on_type(self) -> Test:
        kind = self._value()
        if kind not in _TYPES:
            self._refuse(f"Unknown argument to -type: {kind}")
        return lambda place: _TYPES[kind](place.stat.st_mode)

    def _on_size(self) -> Test:
        text = self._value()
        unit = {"c": 1, "k": 1024, "M": 1 << 20}.get(text[-1], 512)
        wanted = number(self._process, text.rstrip("ckMb").lstrip("+-"), "size")
        sign = text[0] if text[0] in "+-" else ""

        def test(place: _Place) -> bool:
            size = -(-place.stat.st_size // unit)
            return {"+": size > wanted, "-": size < wanted, "": size == wanted}[sign]

        return test

    def _on_maxdepth(self) -> Test:
        self._most = number(self._process, self._value(), "depth")
        return lambda _: True

    def _on_mindepth(self) -> Test:
        self._least = number(self._process, self._value(), "depth")
        return lambda _: True

    def _on_empty(self) -> Test:
        def test(place: _Place) -> bool:
            if stat.S_ISDIR(place.stat.st_mode):
                return not self._process.files.listdir(place.path)
            return stat.S_ISREG(place.stat.st_mode) and not place.stat.st_size

        return test

    def _on_newer(self) -> Test:
        moment = self._process.files.stat(self._value()).st_mtime
        return lambda place: place.stat.st_mtime > moment

    def _on_print(self) -> Test:
        return self._print("\n")

    def _on_print0(self) -> Test:
        return self._print("\0")

    def _print(self, end: str) -> Test:
        self._acts = True
        return lambda place: self._process.stdout.write(f"{place.path}{end}") > 0

    def _on_delete(self) -> Test:
        self._acts = True

        def test(place: _Place) -> bool:
            files = self._process.files
            is_directory = stat.S_ISDIR(place.stat.st_mode)
            try:
                (files.rmdir if is_directory else files.unlink)(place.path)
            except OSError as error:
                self.status = self._process.complain(f"cannot delete '{place.path}'", error)
                return False
            return True

        return test

    def _on_exec(self) -> Test:
        self._acts = True
        words = []
        while (word := self._value()) != ";":
            words.append(word)
        program = words[0] if "/" in words[0] else f"/bin/{words[0]}"

        def test(place: _Place) -> bool:
            process = self._process
            process.stdout.flush()
            arguments = [word.replace("{}", place.path) for word in words]
            return process.waitpid(process.spawn(program, arguments))[1] == 0

        return test
