"""The debate of 1992, claim by claim: what was said, what was measured, what follows.

claim        a claim, as a file of `lab/claims` describes it
evidence     what an experiment found: measures, each with its interval
rule         the rule of a claim, and the verdict that it gives
experiments  what can be measured, by name, from the modules below
show         a claim and its verdict, as text and as a page

costs         times, and what is reckoned from them
reaching      what running systems are made of, and who can call what there
building      lines of code, and what an extension takes
conformance   one suite on every kernel
waiting       lines before a service, and before a slow disk
multitasking  how long others stall a small request
houses        a bug, a stray pointer
tasks         users who remember what they were promised
healing       kills, and what they take along
campaigns     those of other commands
"""
