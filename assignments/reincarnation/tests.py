"""Public tests of the reincarnation server."""

import errno

from assignments.reincarnation.contract import Policy, Subject
from assignments.reincarnation.story import CALM, Story
from lab.grading.bench import Bench


def it_starts_what_it_watches(bench: Bench) -> None:
    """`watch` starts a service, which is then running; nobody is watched twice."""
    with bench.boot(Subject) as system:
        story = Story(bench, system, CALM)
        story.expect_state("running")
        bench.fails("watching it twice", errno.EEXIST, story.server.watch, 1, "disk", CALM)
        for name, ask in (("state", lambda: story.server.state("tty")),):
            bench.fails(f"the {name} of a stranger", errno.ENOENT, ask)
        bench.fails("the death of a stranger", errno.ENOENT, story.server.died, 1, "tty")


def the_first_lives_come_at_once(bench: Bench) -> None:
    """As many deaths as `at_once` says are answered by a new life at once."""
    with bench.boot(Subject) as system:
        story = Story(bench, system, CALM)
        for _ in range(2):
            story.pass_time(100)
            story.expect_rest(0)


def then_it_rests(bench: Bench) -> None:
    """The next death is answered after a rest, to the millisecond."""
    with bench.boot(Subject) as system:
        story = Story(bench, system, CALM)
        for rest in (0, 0, 100):
            story.expect_rest(rest)


def rests_double(bench: Bench) -> None:
    """Each rest is twice the one before, up to the longest."""
    with bench.boot(Subject) as system:
        story = Story(bench, system, CALM)
        for rest in (0, 0, 100, 200, 400, 800, 1000, 1000):
            story.expect_rest(rest)


def a_long_life_ends_the_row(bench: Bench) -> None:
    """After a long life all is forgiven."""
    with bench.boot(Subject) as system:
        story = Story(bench, system, CALM)
        for rest in (0, 0, 100, 200):
            story.expect_rest(rest)
        story.pass_time(5000)
        for rest in (0, 0, 100):
            story.expect_rest(rest)


def the_silent_are_killed(bench: Bench) -> None:
    """One that has given no sign of life for more than two periods is killed, once."""
    with bench.boot(Subject) as system:
        story = Story(bench, system, Policy(period=500))
        story.pass_time(3000)
        story.expect("3 s of signs of life")
        story.pass_time(1000, beats=False)
        story.expect("1 s of silence")
        story.pass_time(1, beats=False)
        story.expect("1.001 s of silence", "kill")
        story.pass_time(3000, beats=False)
        story.expect("the kill, whose death is not yet told")
        story.die()
        story.expect("its death", "start")


def it_gives_up(bench: Bench) -> None:
    """Too many deaths within a time, and it is given up."""
    with bench.boot(Subject) as system:
        story = Story(bench, system, Policy(at_once=99, most=3, within=10_000))
        for _ in range(2):
            story.pass_time(100)
            story.expect_rest(0)
        story.die()
        story.expect_state("given up")
        story.pass_time(70_000, step=5000)
        story.expect("the third death in 10 s")
