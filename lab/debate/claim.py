"""A claim: one file that says who said what, what would test it, and by which rule it is judged.

A reader adds one by writing a file like those in `lab/claims` and naming it on the command line.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from lab.refusal import Refusal, unknown

CLAIMS: Final = Path(__file__).parent.parent / "claims"

TRUST: Final = {
    "A": "read in the post or paper itself",
    "B": "read in a later account of it, not in the original",
    "C": "remembered, not read: not to be quoted as fact",
}


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a measure decides a claim.

    Attributes:
        measure: which; a measure counts if its name begins so.
        supported: a condition such as `<= 1.1`, which each must meet, all of its interval.
        contradicted: one that is enough if a single measure meets it, with all of its interval;
            empty: this rule can leave a claim open, and not go against it.
        says: what would have falsified the claim, in words.
    """

    measure: str
    supported: str
    says: str
    contradicted: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim.

    Attributes:
        id: its short name.
        title: in a few words.
        who: made it.
        when: and when.
        claim: what was said, in our words unless quoted.
        source: where.
        trust: how we know: a key of `TRUST`.
        test: what is measured, in words.
        judged: the sentence that the verdict is on: what of the claim the experiment can decide;
            empty: the claim itself.
        experiment: its name; empty: there is none.
        parameters: of the experiment.
        rule: how it is judged; None: it is not.
        also: more rules: supported only if all of them are met, contradicted if one is.
        needs: what the experiment takes that does not exist yet.
        undecidable: why no host like this one can decide it.
        limits: what the experiment can't show.
    """

    id: str
    title: str
    who: str
    when: str
    claim: str
    source: str
    trust: Literal["A", "B", "C"]
    test: str
    judged: str = ""
    experiment: str = ""
    parameters: dict[str, Any] = {}
    rule: Rule | None = None
    also: tuple[Rule, ...] = ()
    needs: str = ""
    undecidable: str = ""
    limits: str = ""

    def __post_init__(self) -> None:
        """Make sure that something becomes of it.

        Raises:
            ValueError: it has no experiment with a rule, and no reason why not.
        """
        excused = bool(self.needs) + bool(self.undecidable)
        if bool(self.experiment) != (self.rule is not None) or excused + bool(self.experiment) != 1:
            raise ValueError("a claim has `experiment` and `rule`, or `needs`, or `undecidable`")
        if self.also and self.rule is None:
            raise ValueError("`also` has more rules, and there is no `rule`")

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules."""
        return () if self.rule is None else (self.rule, *self.also)


def claims(folder: Path = CLAIMS) -> dict[str, Claim]:
    """All claims of a folder by id, in the order of their numbers.

    Raises:
        Refusal: a file has an error, or two have one id.
    """
    found: dict[str, Claim] = {}
    for path in sorted(folder.glob("*.toml")):
        claim = read(path)
        if claim.id in found:
            raise Refusal(f"{path} has the id {claim.id!r} of another claim.")
        found[claim.id] = claim
    return found


def read(path: Path) -> Claim:
    """The claim in a file.

    Raises:
        Refusal: it can't be read, or has an error.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Claim)
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise Refusal(f"{path} is no claim: {' '.join(str(error).split())}.") from None


def select(known: Mapping[str, Claim], names: Iterable[str]) -> list[Claim]:
    """The claims that are named, by id or by file; without a name all.

    Raises:
        Refusal: there is no such claim, or its file has an error.
    """
    chosen = []
    for name in names:
        if name.endswith(".toml"):
            chosen.append(read(Path(name)))
        elif name in known:
            chosen.append(known[name])
        else:
            raise unknown("claim", name, known, "twinos debate --list")
    return chosen or list(known.values())
