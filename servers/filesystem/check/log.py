"""What the log of an image holds, and the image as it is once that is done."""

from collections.abc import Iterator
from typing import NamedTuple

from servers.filesystem.check.finding import Code, Finding, found
from servers.filesystem.check.image import Image
from servers.filesystem.layout import BLOCK_SIZE, Superblock
from servers.filesystem.logformat import (
    Header,
    Standing,
    Transaction,
    find_header,
    read_transaction,
    standing,
)


class Pending(NamedTuple):
    """What there is to say about the log.

    Attributes:
        header: None if there is no log, or a damaged one.
        transaction: what counts in the log; None if nothing does.
        standing: how the image stands to it.
        findings: what is wrong, or worth knowing.
    """

    header: Header | None
    transaction: Transaction | None
    standing: Standing
    findings: tuple[Finding, ...]


def pending(image: Image, superblock: Superblock) -> Pending:
    """Look into the log of an image whose superblock makes sense."""
    end = image.size // BLOCK_SIZE
    try:
        header = find_header(image.read, superblock, end)
    except OSError:
        text = "the header of the log, in the last block, is not right."
        wrong = found(Code.LOG_HEADER, text, block=end - 1)
        return Pending(None, None, Standing.DONE, (wrong,))
    transaction = None if header is None else read_transaction(image.read, header)
    if header is None or transaction is None:
        return Pending(header, None, Standing.DONE, ())
    state = standing(image.read, transaction)
    return Pending(header, transaction, state, tuple(_notes(header, transaction, state)))


def _notes(header: Header, transaction: Transaction, state: Standing) -> Iterator[Finding]:
    held = f"the log holds transaction {transaction.sequence}"
    if state is Standing.DUE:
        text = f"{held}, which the next mount completes: what follows takes it as done."
        yield found(Code.LOG_DUE, text, block=header.start)
    elif state is Standing.STALE:
        text = f"{held}, but the image was changed by another program since: it will be dropped."
        yield found(Code.LOG_STALE, text, block=header.start)


def completed(image: Image, superblock: Superblock) -> tuple[Image, tuple[Finding, ...]]:
    """The image as the next mount makes it, though nothing is written; and what to say of that."""
    log = pending(image, superblock)
    if log.transaction is not None and log.standing is Standing.DUE:
        return _Completed(image, log.transaction), log.findings
    return image, log.findings


class _Completed:
    """An image with a transaction in its place."""

    def __init__(self, image: Image, transaction: Transaction) -> None:
        self._image = image
        self._blocks = dict(zip(transaction.blocks, transaction.contents, strict=True))
        self.size = image.size

    def read(self, block: int, count: int = 1) -> bytes:
        """See `Image`."""
        data = self._image.read(block, count)
        for number in range(block, block + count):
            at = (number - block) * BLOCK_SIZE
            if number in self._blocks:
                data = data[:at] + self._blocks[number] + data[at + BLOCK_SIZE :]
        return data

    def write(self, block: int, data: bytes) -> None:
        """See `Image`."""
        for at in range(0, len(data), BLOCK_SIZE):
            self._blocks.pop(block + at // BLOCK_SIZE, None)
        self._image.write(block, data)
