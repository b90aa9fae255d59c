"""Mutants: a service's own code with one small mistake in it, in that service only.

Bottom up:

places     where in a function something can be changed, and how to change it
kinds      the mistakes
mutant     one mistake in one module: found, shown, compiled
swap       put into the running service, and told when it is carried out
tour       what a client asks of the file system, and knows the answers to
script     all that the clients of a trial do, and which lines that reaches
trial      one boot with one mutant, in a process of its own
judge      what the clients' answers say
worker     carries out trials, by fork
campaign   many of them, on all processors
"""
