"""A cell for a server: the host denies it all that a service does not need.

A server that somebody has taken over still has its pipes and its regions. Everything else it would
have to ask the host for, and the host refuses: files (Landlock), sockets, processes, programs,
signals and the memory of others (seccomp), and whatever else needs the superuser (another user).
Nor can others look into it: its memory and its descriptors are closed to all but the superuser.
The order matters: each step takes away what the ones before it needed.
"""

import ctypes
import errno
import os
import resource
import struct
from importlib import import_module
from typing import Any, Final

from kernels.host import close_to_others, die_with_parent, refuse_new_privileges, system_call
from twinos import WiringError

NOBODY: Final = 65_534
"""The user and group that a server of the superuser's becomes."""

FORBIDDEN: Final = (
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    *("fork", "vfork", "execve", "execveat"),
    *("kill", "tkill", "tgkill", "pidfd_open", "pidfd_getfd", "pidfd_send_signal"),
    *("rt_sigqueueinfo", "rt_tgsigqueueinfo"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp"),
    *("setns", "unshare", "mount", "umount2", "pivot_root", "chroot", "open_by_handle_at"),
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl", "add_key"),
    *("name_to_handle_at", "memfd_secret", "personality", "swapon", "swapoff", "reboot"),
)
"""What no service has any business with, by the names of Linux."""

_CREATE_RULESET: Final = 444
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1
_FILES: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""Rights about files that a version of Landlock knows, as a number of bits; the latest counts."""
_NETWORK: Final = (4, 0b11)
_SCOPED: Final = (6, 0b11)
_CLONE_THREAD: Final = 0x10000


def check() -> None:
    """Make sure that this host can build a cell.

    Raises:
        WiringError: it can't, and why.
    """
    if landlock_version() < 1:
        raise WiringError("a sandbox needs Landlock, which this host's Linux lacks or disables")
    if not can_filter_calls():
        raise WiringError("a sandbox needs the package pyseccomp: pip install 'twinos[sandbox]'")


def landlock_version() -> int:
    """The version of Landlock's interface; 0 or less: there is none."""
    return system_call(_CREATE_RULESET, None, 0, _VERSION)


def can_filter_calls() -> bool:
    """Whether there is pyseccomp, and libseccomp, which it is nothing without."""
    try:
        import_module("pyseccomp")
    except (ImportError, RuntimeError):
        return False
    return True


def confine() -> None:
    """Lock this process in. Threads that run already stay outside: call it before there are any.

    Raises:
        OSError: the host refuses; the process must not go on.
    """
    calls = _allowed_calls()  # as long as its library can be read
    _be_nobody()
    close_to_others()
    refuse_new_privileges()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _deny_files(landlock_version())
    calls.load()


def confine_as_possible() -> None:
    """As `confine`, but do without what this host lacks; `locks` tells what that leaves."""
    calls = _allowed_calls() if can_filter_calls() else None
    _be_nobody()
    refuse_new_privileges()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if (version := landlock_version()) >= 1:
        _deny_files(version)
    if calls is not None:
        calls.load()


def locks() -> dict[str, bool]:
    """What `confine_as_possible` can take from a process started here, and whether it will."""
    return {
        "another user": not os.getuid(),
        "no files (Landlock)": landlock_version() >= 1,
        "no processes or sockets (pyseccomp)": can_filter_calls(),
    }


def _be_nobody() -> None:
    """Keep nothing of the superuser's powers; with them, the host forgets whose child this is."""
    if os.getuid():
        return
    parent = os.getppid()
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    die_with_parent(parent)


def _deny_files(version: int) -> None:
    """Open, make, change and run no file; speak to nobody by network or signal."""
    files = (1 << max(bits for since, bits in _FILES.items() if since <= version)) - 1
    network, scoped = (bits if version >= since else 0 for since, bits in (_NETWORK, _SCOPED))
    size = 8 if version < _NETWORK[0] else 16 if version < _SCOPED[0] else 24
    rights = ctypes.create_string_buffer(struct.pack("<QQQ", files, network, scoped)[:size], size)
    rules = system_call(_CREATE_RULESET, rights, size, 0)
    if rules < 0 or system_call(_RESTRICT_SELF, rules, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "Landlock refuses")
    os.close(rules)


def _allowed_calls() -> Any:
    """A filter: what is `FORBIDDEN` fails with EPERM, and no process is made, only threads."""
    seccomp: Any = import_module("pyseccomp")
    calls = seccomp.SyscallFilter(defaction=seccomp.ALLOW)
    for name in FORBIDDEN:
        calls.add_rule(seccomp.ERRNO(errno.EPERM), name)
    no_thread = seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_THREAD, 0)
    calls.add_rule(seccomp.ERRNO(errno.EPERM), "clone", no_thread)
    calls.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags can't be seen: use clone
    return calls
