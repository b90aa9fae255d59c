"""The debate of 1992, claim by claim: what was said, what was measured, what follows.

claim        a claim, as a file of `lab/claims` describes it
evidence     what an experiment found: measures, each with its interval
rule         the rule of a claim, and the verdict that it gives
experiments  what can be measured, by name; and the modules beside it
show         a claim and its verdict, as text and as a page
"""
