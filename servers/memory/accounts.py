"""The operations that tell who uses what, and what each may use."""

from typing import NamedTuple

from servers.memory.areas import Area
from servers.memory.events import BROUGHT, ENDED, EVICTIONS, KILLS, WRITTEN
from servers.memory.limits import Limit
from servers.memory.state import Kill, MemoryState
from servers.memory.usage import Usage, usage
from twinos import Caller, op


class MemoryInfo(NamedTuple):
    """The state of the machine's memory, after /proc/meminfo.

    Attributes:
        frames: page frames that there are, 4 KiB each.
        free_frames: those that nothing holds.
        tables: page tables that there are, 4 KiB each.
        free_tables: those that no address space has.
        spaces: address spaces that exist.
        swap: pages that the swap area has room for.
        free_swap: those of them that are free.
        committed: pages that were promised, because they may be written to.
        commit_limit: how many can be without overcommitment.
        locked: pages that must stay in memory.
    """

    frames: int
    free_frames: int
    tables: int
    free_tables: int
    spaces: int
    swap: int
    free_swap: int
    committed: int
    commit_limit: int
    locked: int


class MemoryEvents(NamedTuple):
    """What has happened since the service began, after /proc/vmstat.

    Attributes:
        minor: page faults that were resolved without waiting for a disk.
        major: those that had to wait for one.
        copies: those that copied a page.
        brought: pages that were given a frame, whether it was zeros or came from a disk.
        evictions: pages that had to give their frame up again.
        written: those of them that had to be written to the swap area.
        kills: address spaces that were ended because memory ran out.
    """

    minor: int
    major: int
    copies: int
    brought: int
    evictions: int
    written: int
    kills: int


class AccountOperations(MemoryState):
    """The operations that tell who uses what."""

    @op(idempotent=True)
    def maps(self, caller: Caller, space: int) -> tuple[Area, ...]:
        """The areas of an address space by address, after /proc/PID/maps."""
        return tuple(self._space(caller, space).areas)

    @op(idempotent=True)
    def statm(self, caller: Caller, space: int) -> Usage:
        """What an address space uses, after /proc/PID/statm."""
        return usage(self._machine, self._space(caller, space))

    @op(idempotent=True)
    def getrlimit(self, caller: Caller, space: int, resource: int) -> Limit:
        """A limit of an address space: RLIMIT_AS, RLIMIT_MEMLOCK, RLIMIT_RSS or RLIMIT_STACK.

        Raises:
            OSError: EINVAL: there is no such resource.
        """
        return self._space(caller, space).limits.get(resource)

    @op
    def setrlimit(self, caller: Caller, space: int, resource: int, soft: int, hard: int) -> None:
        """Limit an address space, in bytes; RLIM_INFINITY, -1, for none. A fork inherits it.

        RLIMIT_AS bounds what is mapped, RLIMIT_STACK what a stack grows to, RLIMIT_MEMLOCK what is
        locked. Who has more pages in memory than RLIMIT_RSS gives up one of its own at each fault.

        Raises:
            OSError: EINVAL: there is no such resource, or the soft limit is above the hard one.
                EPERM: only the superuser may raise the hard one.
        """
        where = self._space(caller, space)
        where.limits.set(resource, Limit(soft, hard), superuser=caller.uid == 0)
        self._machine.ledger.note(("limited", space, resource, soft, hard))

    @op(idempotent=True)
    def meminfo(self) -> MemoryInfo:
        """The memory of the machine, after /proc/meminfo."""
        machine = self._machine
        return MemoryInfo(
            frames=self._sizes.pages,
            free_frames=machine.frames.free,
            tables=self._sizes.page_tables,
            free_tables=machine.tables.free,
            spaces=len(self._spaces),
            swap=machine.swap.size,
            free_swap=machine.swap.free,
            committed=machine.commit.total,
            commit_limit=machine.commit.limit,
            locked=machine.reclaim.locked,
        )

    @op(idempotent=True)
    def vmstat(self) -> MemoryEvents:
        """What has happened so far, after /proc/vmstat. Thrashing is seen here."""
        events = self._machine.reclaim.events.counts
        spaces = [space.faults.events.counts for space in self._spaces.values()]
        minor, major, copies = map(sum, zip(events[ENDED:], *spaces, strict=True))
        return MemoryEvents(
            minor=minor,
            major=major,
            copies=copies,
            brought=events[BROUGHT],
            evictions=events[EVICTIONS],
            written=events[WRITTEN],
            kills=events[KILLS],
        )

    @op(idempotent=True)
    def kills(self) -> tuple[Kill, ...]:
        """The last address spaces that had to go when memory ran out, the latest at the end."""
        return tuple(self._kills.values())

    @op(repeatable=True)
    def tick(self) -> None:
        """A tick of the replacement policy's clock, besides those of the setting `quantum`.

        An experiment that knows each reference tells the policy so.
        """
        self._machine.reclaim.tick()
