"""TwinOS's file system beside others: `twinos bench files --peers`.

mixes     one way of doing the operations, for each kind of file system
minimal   the least file system that mfusepy can mount
mounts    file systems of other processes, mounted for a while
measure   all of them timed in one run, in turns
report    a run as text
"""
