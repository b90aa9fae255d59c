"""The kernels: ways of delivering requests to services.

with boot("microkernel", FileSystem) as system:
    system[FileSystem].mkdir("/home")
"""

from kernels.boot import KERNELS, boot
from kernels.kernel import Process
from kernels.status import Counts
from kernels.stub import Layer
from kernels.system import System, User

__all__ = ["KERNELS", "Counts", "Layer", "Process", "System", "User", "boot"]
