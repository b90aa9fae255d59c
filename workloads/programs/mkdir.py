"""mkdir: make directories."""

from servers.process import Process
from workloads.programs._common import is_directory, options, usage
from workloads.programs.chmod import changed


def main(process: Process, *arguments: str) -> int:
    """`mkdir [-p] [-m MODE] DIRECTORY...`."""
    given, paths = options(process, arguments, "pm:")
    if not paths:
        usage(process, "missing operand")
    status = 0
    for path in paths:
        try:
            _make(process, path, parents="p" in given)
            if "m" in given:
                process.files.chmod(path, changed(given["m"], 0o777, 0, directory=True))
        except OSError as error:
            status = process.complain(f"cannot create directory '{error.filename or path}'", error)
        except ValueError:
            usage(process, f"invalid mode '{given['m']}'")
    return status


def _make(process: Process, path: str, *, parents: bool) -> None:
    if parents:
        above = path.rstrip("/").rpartition("/")[0]
        if above and not is_directory(process, above):
            _make(process, above, parents=True)
        if is_directory(process, path):
            return
    process.files.mkdir(path)
