"""env: the environment."""

from servers.process import Process


def main(process: Process, *_arguments: str) -> int:
    """`env`."""
    process.stdout.writelines(f"{name}={value}\n" for name, value in process.environ.items())
    return 0
