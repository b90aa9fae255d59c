"""The log: what is due is done, what is stale dropped, and a damaged header made anew."""

from servers.filesystem.check.image import Image
from servers.filesystem.check.log import pending
from servers.filesystem.layout import BLOCK_SIZE, Superblock
from servers.filesystem.logformat import Header, Standing


def settle(image: Image, superblock: Superblock) -> list[str]:
    """Empty the log of an image; what was done. What is in its place already needs no word."""
    log = pending(image, superblock)
    end = image.size // BLOCK_SIZE
    if log.header is None:
        if not log.findings:
            return []
        image.write(superblock.zones, bytes(BLOCK_SIZE))
        header = Header(superblock.zones, end - superblock.zones, sequence=1)
        image.write(header.place, header.pack())
        return ["made a new header for the log, and emptied it"]
    if log.transaction is None:
        return []
    sequence = log.transaction.sequence
    done = []
    if log.standing is Standing.DUE:
        for block, data in zip(log.transaction.blocks, log.transaction.contents, strict=True):
            image.write(block, data)
        done = [f"completed transaction {sequence} of the log"]
    elif log.standing is Standing.STALE:
        done = [f"dropped transaction {sequence} of the log"]
    image.write(log.header.place, log.header._replace(sequence=sequence + 1).pack())
    return done
