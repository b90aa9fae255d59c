"""A campaign of faults: the same one at the same operation under every kernel, and what came of it.

Bottom up:

cell       what the injector, the client and the campaign share while a system is dying
kinds      what can go wrong in a service
script     what the clients do, by chance
history    what they record
trial      one boot, one fault, in a process of its own
judge      what the history says, by a model of files that knows nothing of the system
campaign   all of it, as often as asked
"""
