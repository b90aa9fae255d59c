"""The example services at work: what one request of each costs."""

from typing import Any, Final

from servers.disk import Disk
from servers.examples.keyvalue import KeyValue
from servers.examples.leases import Leases
from servers.examples.loopback import Loopback
from servers.examples.mirror import LeftDisk, Mirror, RightDisk
from servers.examples.names import NameService
from servers.examples.queue import MessageQueue
from workloads.files import content
from workloads.workload import Operation, Program, equals, workload

GROUP: Final = "services"
LONG_S: Final = 3600.0
SIDES: Final[dict[Any, Any]] = {LeftDisk: {"blocks": 1024}, RightDisk: {"blocks": 1024}}


@workload(GROUP, extra=True)
def keyvalue_get(store: KeyValue, size: int = 100) -> Program:
    """Get a value of {size:,} B by its key."""
    value = content(size)
    store.put("key", value)
    yield Operation(lambda: store.get("key"), check=equals(value))
    store.delete("key")


@workload(GROUP, config={Disk: {"blocks": 16_384}}, extra=True)
def keyvalue_put(store: KeyValue, size: int = 100) -> Program:
    """Put a value of {size:,} B: a record at the end of the log, and an fsync."""
    value = content(size)
    yield Operation(lambda: store.put("key", value), check=equals(None))
    store.delete("key")
    store.compact()


@workload(GROUP, extra=True)
def queue_message(queue: MessageQueue, size: int = 100) -> Program:
    """Publish a message of {size:,} B, receive it, acknowledge it."""
    body = content(size)
    queue.subscribe("topic", "group")

    def pass_on() -> bytes:
        queue.publish("topic", body)
        message = queue.receive("topic", "group")
        queue.acknowledge("topic", "group", message.offset)
        return message.body

    yield Operation(pass_on, check=equals(body))


@workload(GROUP, extra=True)
def lease_acquire(leases: Leases) -> Program:
    """Acquire a lock that is free, and release it."""

    def hold() -> None:
        leases.release("lock", leases.acquire("lock", LONG_S))

    yield Operation(hold, check=equals(None))


@workload(GROUP, extra=True)
def name_lookup(names: NameService) -> Program:
    """Look up a name."""
    names.publish("name", b"value")
    yield Operation(lambda: names.lookup("name").value, check=equals(b"value"))
    names.withdraw("name")


@workload(GROUP, config=SIDES, extra=True)
def mirror_read(mirror: Mirror) -> Program:
    """Read a block of 1 KiB from a mirror: from one of its sides."""
    block = content(1024)
    mirror.write(7, block)
    yield Operation(lambda: mirror.read(7), check=equals(block))


@workload(GROUP, config=SIDES, extra=True)
def mirror_write(mirror: Mirror) -> Program:
    """Write a block of 1 KiB to a mirror: to both of its sides."""
    block = content(1024)
    yield Operation(lambda: mirror.write(7, block), check=equals(None))


@workload(GROUP, extra=True)
def loopback_echo(net: Loopback, size: int = 100) -> Program:
    """Send {size:,} B through a socket, receive them, and send them back."""
    data = content(size)
    listener, client = net.socket(), net.socket()
    port = net.bind(listener)
    net.listen(listener)
    net.connect(client, port)
    server = net.accept(listener)

    def echo() -> bytes:
        net.send(client, data)
        net.send(server, net.recv(server, size))
        return net.recv(client, size)

    yield Operation(echo, check=equals(data))
    for fd in (client, server, listener):
        net.close(fd)
