"""Class material: assignments are started, graded, released and reported on. In layers.

Bottom up:

cutting      starting code, cut out of the reference solution
assignment   one lab: its folder, its rubric, where labs are found
held         a student's class inside a service, in the process of that service   (in its process)
bench        what a test has: a system to boot, and ways to say what it expects
trial        one test under one kernel, in a process that ends in time
outcome      what tests came to, as text, as JSON, for Gradescope
grader       all tests of a submission
submission   a student's files, name and seed; starting one
release      what students are given
autograder   what Gradescope is given
likeness     submissions that resemble each other
report       a class

The grader and its tests are in processes in which nothing of the student's ever runs. The student's
class is loaded in a server of a system that a fresh interpreter boots: what it returns comes back
as a message, and is made anew by decoding.
"""
