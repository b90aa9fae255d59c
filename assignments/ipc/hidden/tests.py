"""Hidden tests of the inventory."""

from assignments.ipc.contract import LONGEST, WINDOW
from assignments.ipc.scene import bill_of, large, small
from lab.grading.bench import Bench


def what_is_gone_is_left_out(bench: Bench) -> None:
    """A thing that is gone when it is read stops nobody else from being entered."""
    things = small(bench, 30)
    bill_of(bench, things, lost=bench.random.choice(list(things)))


def as_few_messages_as_can_be(bench: Bench) -> None:
    """500 small things cost 10 messages at most: 1,002 requests in five messages."""
    bill = bill_of(bench, small(bench, 500))
    bench.at_most("messages, requests and replies", 2 * bill.requests, 10)
    bench.figure("messages for 500 things", 2 * bill.requests)


def as_few_copies_as_can_be(bench: Bench) -> None:
    """Three large things, one larger than the window, cost no copy, and 14 messages."""
    bill = bill_of(bench, large(bench, 1 << 20, WINDOW + 5, LONGEST + 1))
    bench.at_most("bytes copied by message", bill.copied, 0)
    bench.at_most("messages, requests and replies", 2 * bill.requests, 14)
    bench.figure("messages for three large things", 2 * bill.requests)


def both_at_once(bench: Bench) -> None:
    """200 small and two large things: few messages, and only the small ones are copied."""
    things = small(bench, 200)
    bill = bill_of(bench, things | large(bench, 300_000, 5000))
    bench.at_most("bytes copied by message", bill.copied, sum(map(len, things.values())))
    bench.at_most("messages, requests and replies", 2 * bill.requests, 20)


def an_empty_store(bench: Bench) -> None:
    """Nothing costs nothing but to ask; whoever asks nobody has done nothing."""
    bill = bill_of(bench, {})
    bench.expect("requests", bill.requests, 1)
