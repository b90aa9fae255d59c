"""Availability: requests served over time while services are killed, under each kernel.

Bottom up:

course     what came of it, as it is saved
clients    who ask all the time, and know what they were promised
show       for people at a terminal
house      a system that is killed on a schedule, and booted again when it is down
"""
