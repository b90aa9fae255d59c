"""A campaign of crashes: what a file system is after the power fails, at every write, in layers.

Bottom up:

recorder   a disk that remembers what was written to it, and when it was flushed
states     what may be on the medium at each moment between: any subset, in any order, torn
script     short sequences of operations, by chance
tree       everything that a mounted file system shows
judge      whether that is what was promised
campaign   all of it, as often as asked

Beside them: `fsck` asks another tool, `story` tells what a script wrote.

The promise is in docs/crash-consistency.md.
"""

from lab.crash.campaign import Campaign, Report, Settings

__all__ = ["Campaign", "Report", "Settings"]
