"""Hidden tests of NRU."""

from collections.abc import Sequence

from assignments.paging.contract import Subject
from assignments.paging.machine import Fault, Machine, Reference
from lab.grading.bench import Bench
from lab.paging import faults
from lab.references import PATTERNS
from servers.memory.policies import policies

PAGES = 12


def drawn(bench: Bench, length: int, writes: float = 0.3) -> list[Reference]:
    """References with locality, some of them writes."""
    pages = PATTERNS["locality"](bench.random, PAGES, length)
    return [(page, bench.random.random() < writes) for page in pages]


def by_the_book(references: Sequence[Reference], frames: int) -> list[Fault]:
    """NRU as the textbook has it, with all bits at hand: the oracle."""
    memory: list[int] = []
    referenced: set[int] = set()
    dirty: set[int] = set()
    found = []
    for time, (page, write) in enumerate(references, 1):
        if page not in memory:
            victim = None
            if len(memory) == frames:
                lowest = min(2 * (p in referenced) + (p in dirty) for p in memory)
                victim = next(p for p in memory if 2 * (p in referenced) + (p in dirty) == lowest)
                memory.remove(victim)
                referenced.discard(victim)
                dirty.discard(victim)
            memory.append(page)
            found.append(Fault(page, victim))
        referenced.add(page)
        if write:
            dirty.add(page)
        if time % frames == 0:
            referenced.clear()
    return found


def as_the_textbook_has_it(bench: Bench) -> None:
    """Drawn references: every fault and every victim are those of the textbook's NRU."""
    for frames in (1, 3, 7):
        references = drawn(bench, 120)
        with bench.boot(Subject) as system:
            came = Machine(system, frames).run(references)
        bench.expect(f"the faults in {frames} frames", came, by_the_book(references, frames))


def locked_pages_stay(bench: Bench) -> None:
    """A page that is not evictable is no victim; when none is, the answer is None."""
    with bench.boot(Subject) as system:
        machine = Machine(system, 3)
        machine.run([(1, False), (2, False), (3, False)])
        for page in (1, 2):
            machine.tables.lock(page, True)
        bench.expect("the victim", system[Subject].victim(), 3)
        machine.tables.lock(3, True)
        bench.expect("the victim when all are locked", system[Subject].victim(), None)
        machine.tables.lock(2, False)
        bench.expect("the victim when 2 may go again", system[Subject].victim(), 2)


def pages_come_back(bench: Bench) -> None:
    """A page that went, with its process or as a victim, comes back without a past."""
    with bench.boot(Subject) as system:
        machine = Machine(system, 3)
        machine.run([(1, True), (2, True), (3, True)])
        machine.end(1)
        machine.run([(1, True)])
        bench.expect("the next faults", machine.run([(4, False)]), [Fault(4, 2)])
        policy = system[Subject]
        policy.begin(2)
        for page in (11, 12):
            machine.tables.bring(page)
            machine.tables.refer(page, False)
            policy.admit(page)
        bench.expect("the victim of two that were referenced", policy.victim(), 11)
        machine.tables.drop(12)
        policy.forget(12)
        machine.tables.bring(12)
        policy.admit(12)
        bench.expect(
            "the victim, when 12 has come back and was not referenced", policy.victim(), 12
        )


def between_belady_and_chance(bench: Bench) -> None:
    """No policy has fewer faults than Belady's; NRU has fewer than a lottery, with locality."""
    pages = PATTERNS["locality"](bench.random, PAGES, 300)
    known = policies()
    frames = 5
    with bench.boot(Subject) as system:
        came = len(Machine(system, frames).run([(page, False) for page in pages]))
    best = faults(known["optimal"](frames), pages)
    chance = sorted(faults(known["random"](frames, seed), pages) for seed in range(31))
    bench.true("Belady's bound", came >= best, f"{came} faults, where {best} are the fewest")
    bench.at_most("the faults", came, chance[-1])
    bench.figure("faults, over Belady's", round(came / best, 3))


def bits_are_read_no_more_than_needed(bench: Bench) -> None:
    """Reading a bit costs a message: once a page for a victim, and for an interrupt."""
    references, frames = drawn(bench, 200), 4
    with bench.boot(Subject) as system:
        machine = Machine(system, frames)
        came = machine.run(references)
        asked = machine.tables.asked()
    victims = sum(fault.victim is not None for fault in came)
    bench.true("that it works", came == by_the_book(references, frames), "other victims")
    bench.at_most("bits read", asked, frames * (victims + len(references) // frames))
    bench.figure("bits read", asked)
