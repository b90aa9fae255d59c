"""An image as a file system of fsspec, for pandas and its friends: the extra `fs`.

files    an open file, as Python has it
system   the file system, `twinos://`
"""

from lab.spec.system import TwinOSFileSystem

__all__ = ["TwinOSFileSystem"]
