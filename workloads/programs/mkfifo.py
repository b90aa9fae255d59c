"""mkfifo: make FIFOs, pipes that have names."""

from servers.process import Process
from workloads.programs._common import options, usage
from workloads.programs.chmod import changed


def main(process: Process, *arguments: str) -> int:
    """`mkfifo [-m MODE] NAME...`."""
    given, paths = options(process, arguments, "m:")
    if not paths:
        usage(process, "missing operand")
    status = 0
    for path in paths:
        try:
            process.files.mkfifo(path)
            if "m" in given:
                process.files.chmod(path, changed(given["m"], 0o666, 0, directory=False))
        except OSError as error:
            status = process.complain(f"cannot create fifo '{path}'", error)
        except ValueError:
            usage(process, f"invalid mode '{given['m']}'")
    return status
