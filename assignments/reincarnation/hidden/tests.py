"""Hidden tests of the reincarnation server."""

from assignments.reincarnation.contract import Act, Policy, Subject, Wards
from assignments.reincarnation.story import CALM, Story
from lab.grading.bench import Bench
from twinos import Supervision


def rests_are_those_of_twinos(bench: Bench) -> None:
    """Drawn policies: the rests are those of TwinOS's own supervisor."""
    for _ in range(3):
        at_once, rest = bench.random.randrange(4), bench.random.randrange(10, 300)
        longest = rest * bench.random.randrange(3, 40)
        policy = CALM._replace(at_once=at_once, rest=rest, longest=longest)
        oracle = Supervision(at_once=at_once, rest=rest, longest_rest=longest)
        with bench.boot(Subject) as system:
            story = Story(bench, system, policy)
            for deaths in range(1, at_once + 6):
                story.expect_rest(int(oracle.pause(deaths)))


def the_window_slides(bench: Bench) -> None:
    """Deaths that are longer ago than the window count no more, to the millisecond."""
    policy = Policy(at_once=99, most=3, within=1000)
    with bench.boot(Subject) as system:
        story = Story(bench, system, policy)
        for _ in range(8):
            story.pass_time(500)  # the first of three is just 1000 ms old
            story.expect_rest(0)
        story.pass_time(499)
        story.die()
        story.expect("the third death in 999 ms")
        story.expect_state("given up")


def late_news_is_no_news(bench: Bench) -> None:
    """Deaths and signs of life of one that rests, or is given up, change nothing."""
    with bench.boot(Subject) as system:
        story = Story(bench, system, CALM._replace(at_once=0))
        story.die()
        story.die()
        story.server.beat(0, "disk")
        story.expect_state("resting")
        story.pass_time(99)
        story.die()
        story.expect("deaths while it rests")
        story.pass_time(1)
        story.expect("the first rest, which is not the second", "start")


def who_is_stopped_stays_so(bench: Bench) -> None:
    """`stop` kills, and the death is not answered; it may be watched again, without a past."""
    with bench.boot(Subject) as system:
        story = Story(bench, system, CALM)
        for rest in (0, 0, 100):
            story.expect_rest(rest)
        story.server.stop(story.now, "disk")
        story.expect("stop", "kill")
        story.die()
        story.pass_time(50_000, step=5000)
        story.expect("its death, and much time")
        story.expect_state("stopped")
        story.server.watch(story.now, "disk", CALM)
        story.expect("watching it again", "start")
        for rest in (0, 0, 100):
            story.expect_rest(rest)
        story.die()
        story.server.stop(story.now, "disk")
        story.expect("stopping one that rests")


def many_are_watched(bench: Bench) -> None:
    """Each has its own past; one that is given up takes nobody along."""
    names = [f"driver{number}" for number in range(5)]
    with bench.boot(Subject) as system:
        server, wards = system[Subject], system[Wards]
        for number, name in enumerate(names):
            server.watch(0, name, Policy(at_once=0, rest=100 * (number + 1), most=3))
        wards.acts()
        order = bench.random.sample(names, len(names))
        for name in order:
            server.died(10, name)
        bench.expect("what is done at once", wards.acts(), ())
        for number, name in enumerate(names):
            for each in names:
                server.beat(10 + 100 * (number + 1), each)
            server.tick(10 + 100 * (number + 1))
            bench.expect("who is started", wards.acts(), (Act("start", name),))
        for _ in range(2):
            server.died(600, names[0])
            for each in names[1:]:
                server.beat(900, each)
            server.tick(900)
        wards.acts()
        bench.expect("the first one", server.state(names[0]), "given up")
        bench.expect("the last one", server.state(names[-1]), "running")


def a_kill_is_a_death(bench: Bench) -> None:
    """One that hangs again and again rests longer and longer, and is given up."""
    policy = Policy(at_once=1, rest=100, most=4, within=60_000, period=100)
    with bench.boot(Subject) as system:
        story = Story(bench, system, policy)
        for rest in (0, 100, 200):
            story.pass_time(201, beats=False, step=201)
            story.expect("silence", "kill")
            story.expect_rest(rest)
        story.pass_time(201, beats=False, step=201)
        story.expect("silence", "kill")
        story.die()
        story.expect_state("given up")
        story.pass_time(1000, beats=False)
        story.expect("silence of one that is given up")
