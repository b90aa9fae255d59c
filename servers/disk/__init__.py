"""A disk, in memory or in an image file.

medium   where bytes are kept, and memory as such a place
image    an image file, which is locked
service  the service
"""

from servers.disk.service import BLOCK_SIZE, BLOCKS, TRANSFER, Disk, Extent, Geometry

__all__ = ["BLOCKS", "BLOCK_SIZE", "TRANSFER", "Disk", "Extent", "Geometry"]
