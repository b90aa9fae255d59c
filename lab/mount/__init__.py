"""A booted file system as a directory of the host, by way of FUSE.

nodes       which files the host's kernel knows, and by which names
users       who asks: a caller of ours for each user of the host
reply       attributes and errors as FUSE wants them
operations  what FUSE asks for, in terms of `FileSystem`
session     mounting, serving, unmounting

Only `reply`, `operations` and `session` need the package pyfuse3; `lab.commands.mount` says so
where it is missing. See docs/decisions/0015.
"""
