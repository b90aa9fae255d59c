"""One request with more and more in its reply: what a byte costs, from 1 B to 1 MiB."""

from typing import Final

from workloads.files import pread
from workloads.workload import workload

SIZES: Final = {
    "1": 1,
    "64": 64,
    "1k": 1 << 10,
    "4k": 4 << 10,
    "16k": 16 << 10,
    "64k": 64 << 10,
    "256k": 256 << 10,
    "1m": 1 << 20,
}

workload(
    "payload", {f"payload-{name}": {"size": size} for name, size in SIZES.items()}, extra=True
)(pread)
