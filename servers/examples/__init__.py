"""Services of everyday use, each one file: what a service of one's own can look like.

keyvalue  a key-value store with a durable log, on the file system
queue     topics, and groups of consumers that share the work
leases    locks that end by themselves, with fencing tokens
names     names that processes publish, find and wait for
mirror    one disk made of two (RAID 1)
loopback  stream sockets between the programs of one system

Nothing else in TwinOS knows of them.
"""
