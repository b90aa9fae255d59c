"""Repairing an image of the MINIX version 3 format, in the order in which it happens.

log          emptied: what it holds is done, or dropped
superblock   sizes and places of the tables, worked out from each other if need be
patient      what all later steps share
inodes       inodes that are kept: a mode that makes sense, a size that is possible
zones        every zone has one owner; contested ones are copied
tree         directories, from the root down: names and links
orphans      what no directory names goes to /lost+found
repairer     these steps, and the tables that follow from them

What can be kept is kept: a block that two files claim is copied, a file without a name gets one.
An image is read and written in place, so hand over a copy. A step never follows a block twice, so
each ends; memory holds the tables and one directory's names.
"""

from servers.filesystem.repair.patient import Hopeless
from servers.filesystem.repair.repairer import repair

__all__ = ["Hopeless", "repair"]
