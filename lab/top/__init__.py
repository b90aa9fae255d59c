"""What `twinos top` shows: a running system, looked at again and again.

look     what is seen at a moment
watcher  looks, and knows what happened since it last did
table    it as text
app      it as a screen that changes (extra `tui`, textual)
"""
