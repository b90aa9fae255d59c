"""Public tests of the inventory."""

from assignments.ipc.scene import bill_of, large, small
from lab.grading.bench import Bench


def small_things_are_entered(bench: Bench) -> None:
    """The inventory has the digest of each of 20 small things."""
    bill_of(bench, small(bench, 20))


def large_things_are_entered(bench: Bench) -> None:
    """And that of a large one among them."""
    bill_of(bench, small(bench, 3) | large(bench, 100_000))


def small_things_cost_few_messages(bench: Bench) -> None:
    """300 small things cost 40 messages at most."""
    bill = bill_of(bench, small(bench, 300))
    bench.at_most("messages, requests and replies", 2 * bill.requests, 40)


def large_things_are_not_copied(bench: Bench) -> None:
    """Of 1 MiB no more than 4 KiB goes by message."""
    bill = bill_of(bench, large(bench, 1 << 20))
    bench.at_most("bytes copied by message", bill.copied, 4096)
