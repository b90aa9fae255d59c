"""The message queue: every group gets every message, one consumer at a time, at least once."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from kernels import boot
from kernels.stablestore import MOST
from lab.agreement import check_agreement
from servers.examples.queue import MessageQueue
from tests.conftest import Kernel, eventually
from tests.servers.examples.mortals import kill


def test_the_kernels_agree() -> None:
    check_agreement(MessageQueue)


def test_each_group_gets_every_message_in_order(kernel: Kernel) -> None:
    with kernel.boot(MessageQueue) as system:
        queue = system[MessageQueue]
        queue.subscribe("news", "early")
        for number in range(3):
            assert queue.publish("news", bytes([number])) == number
        queue.subscribe("news", "late", from_start=False)
        queue.subscribe("news", "all")
        assert queue.publish("news", b"\3") == 3
        for group, first in (("early", 0), ("all", 0), ("late", 3)):
            assert queue.backlog("news", group) == (4 - first, 0)
            for number in range(first, 4):
                message = queue.receive("news", group)
                assert message == (number, bytes([number]), 1)
                assert queue.backlog("news", group) == (3 - number, 1)
                queue.acknowledge("news", group, number)
            with pytest.raises(BlockingIOError):
                queue.receive("news", group)


def test_consumers_share_the_work(kernel: Kernel) -> None:
    """Nothing is lost or done twice, however three of them hurry."""
    with kernel.boot(MessageQueue) as system, ThreadPoolExecutor(3) as pool:
        system[MessageQueue].subscribe("work", "all")
        done: list[bytes] = []

        def consume() -> None:
            with system.user() as worker:
                queue = worker[MessageQueue]
                while (message := queue.receive("work", "all", 10.0)).body:
                    done.append(message.body)
                    queue.acknowledge("work", "all", message.offset)
                queue.acknowledge("work", "all", message.offset)

        workers = [pool.submit(consume) for _ in range(3)]
        for number in range(1, 200):
            system[MessageQueue].publish("work", number.to_bytes(2, "little"))
        for _ in workers:
            system[MessageQueue].publish("work", b"")
        for worker in workers:
            worker.result(30)
        assert Counter(done) == Counter(number.to_bytes(2, "little") for number in range(1, 200))
        assert system[MessageQueue].backlog("work", "all") == (0, 0)


def test_what_a_consumer_leaves_behind_another_gets(kernel: Kernel) -> None:
    with kernel.boot(MessageQueue) as system:
        queue = system[MessageQueue]
        queue.subscribe("work", "all")
        for number in range(5):
            queue.publish("work", bytes([number]))
        with system.user() as worker:
            for _ in range(4):
                worker[MessageQueue].receive("work", "all")
            worker[MessageQueue].acknowledge("work", "all", 1)
            with pytest.raises(PermissionError):
                queue.acknowledge("work", "all", 2)
        got = [queue.receive("work", "all") for _ in range(4)]
        assert [(m.offset, m.deliveries) for m in got] == [(0, 2), (2, 2), (3, 2), (4, 1)]
        with pytest.raises(PermissionError):
            queue.acknowledge("work", "all", 1)


def test_a_consumer_waits_for_a_message(kernel: Kernel) -> None:
    with (
        kernel.boot(MessageQueue) as system,
        system.user() as worker,
        ThreadPoolExecutor(1) as pool,
    ):
        system[MessageQueue].subscribe("work", "all")
        waiting = pool.submit(worker[MessageQueue].receive, "work", "all", 10.0)
        eventually(waiting.running)
        system[MessageQueue].publish("work", b"at last")
        assert waiting.result(10).body == b"at last"


def test_a_full_topic_makes_its_publisher_wait(kernel: Kernel) -> None:
    config = {MessageQueue: {"capacity": 2}}
    with kernel.boot(MessageQueue, config=config) as system, ThreadPoolExecutor(1) as pool:
        queue = system[MessageQueue]
        queue.subscribe("work", "all")
        for _ in range(2):
            queue.publish("work", b"")
        with pytest.raises(BlockingIOError):
            queue.publish("work", b"")
        with system.user() as publisher:
            waiting = pool.submit(publisher[MessageQueue].publish, "work", b"", 10.0)
            eventually(waiting.running)
            offset = queue.receive("work", "all").offset
            queue.acknowledge("work", "all", offset)
            assert waiting.result(10) == 2


def test_what_there_is_not(kernel: Kernel) -> None:
    with kernel.boot(MessageQueue) as system:
        queue = system[MessageQueue]
        queue.publish("news", b"")
        for topic, group in (("news", "all"), ("weather", "all")):
            with pytest.raises(FileNotFoundError, match=f"{topic}:{group}"):
                queue.receive(topic, group)
        with pytest.raises(OSError, match="at least"):
            kernel.boot(MessageQueue, config={MessageQueue: {"capacity": 0}})


def test_every_message_is_acknowledged_by_every_group_once(rng: random.Random) -> None:
    """Consumers that come and go at random: each group sees all, in the end."""
    with Kernel("monolithic", "monolithic").boot(MessageQueue) as system:
        queue = system[MessageQueue]
        groups = ("a", "b")
        for group in groups:
            queue.subscribe("work", group)
        acknowledged: Counter[tuple[str, int]] = Counter()
        published = 0
        while published < 300:
            with system.user() as worker:
                for _ in range(rng.randrange(12)):
                    group = rng.choice(groups)
                    if rng.random() < 0.5:
                        queue.publish("work", b"")
                        published += 1
                        continue
                    try:
                        message = worker[MessageQueue].receive("work", group)
                    except BlockingIOError:
                        continue
                    if rng.random() < 0.7:
                        worker[MessageQueue].acknowledge("work", group, message.offset)
                        acknowledged[group, message.offset] += 1
        for group in groups:
            waiting, pending = queue.backlog("work", group)
            assert pending == 0, "whoever had them has left"
            for _ in range(waiting):
                offset = queue.receive("work", group).offset
                queue.acknowledge("work", group, offset)
                acknowledged[group, offset] += 1
        assert acknowledged == Counter({(g, n): 1 for g in groups for n in range(published)})


def test_memory_and_the_number_of_topics_are_bounded(kernel: Kernel) -> None:
    config = {MessageQueue: {"memory": 10_000, "topics": 2}}
    with kernel.boot(MessageQueue, config=config) as system:
        queue = system[MessageQueue]
        queue.subscribe("a", "all")
        queue.publish("a", bytes(5000))
        queue.publish("b", bytes(4000))
        with pytest.raises(BlockingIOError):
            queue.publish("b", bytes(4000))
        queue.acknowledge("a", "all", queue.receive("a", "all").offset)
        assert queue.publish("b", bytes(4000)) == 1  # there is room again
        for refused in (lambda: queue.publish("c", b""), lambda: queue.subscribe("c", "all")):
            with pytest.raises(OSError, match="No space left"):
                refused()
        queue.subscribe("b", "one")
        queue.subscribe("b", "two")
        with pytest.raises(OSError, match="No space left"):
            queue.subscribe("b", "three")


def test_no_client_notices_that_it_was_killed() -> None:
    with boot("microkernel", MessageQueue) as system, system.user() as other:
        queue = system[MessageQueue]
        queue.subscribe("work", "group")
        for number in range(5):
            assert queue.publish("work", b"%d" % number) == number
            kill(MessageQueue)
        first, second = queue.receive("work", "group"), other[MessageQueue].receive("work", "group")
        assert (first.body, second.body) == (b"0", b"1")
        kill(MessageQueue)
        queue.acknowledge("work", "group", first.offset)
        assert queue.backlog("work", "group") == (3, 1)
        for number in range(5, MOST + 5):  # so many that the state is saved as a whole
            assert queue.publish("work", b"%d" % number) == number
        kill(MessageQueue)
        other.close()
        again = queue.receive("work", "group", 10.0)
        assert again == (1, b"1", 2)
        assert [queue.receive("work", "group").offset for _ in range(3)] == [2, 3, 4]
