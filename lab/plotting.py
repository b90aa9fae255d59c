"""Plots: curves over whole numbers, in letters for a terminal, or drawn into a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from lab.refusal import Failure, Refusal

HEIGHT: Final = 16
_SEVERAL: Final = "*"

Curves = Mapping[str, Sequence[int]]
"""By name, a value for each place."""


def in_letters(places: Sequence[int], curves: Curves, width: int = 64) -> str:
    """The curves, each in a letter, with axes; where several meet there is an asterisk."""
    letters = _letters(curves)
    top = max(max(values) for values in curves.values()) or 1
    step = max(1, min(6, width // len(places)))
    grid = [[" "] * (step * (len(places) - 1) + 1) for _ in range(HEIGHT + 1)]
    for name, values in curves.items():
        for number, value in enumerate(values):
            row, column = HEIGHT - round(value * HEIGHT / top), number * step
            taken = grid[row][column] != " "
            grid[row][column] = _SEVERAL if taken else letters[name]
    margin = len(f"{top:,}")
    lines = [
        f"{top * (HEIGHT - row) // HEIGHT if not row % 4 else '':>{margin},} |{''.join(cells)}"
        if not row % 4
        else f"{'':>{margin}} |{''.join(cells)}"
        for row, cells in enumerate(grid)
    ]
    axis = f"{'':>{margin}} +{'-' * len(grid[0])}"
    ends = f"{places[0]}{str(places[-1]).rjust(max(1, len(grid[0]) - len(str(places[0]))))}"
    key = ", ".join(f"{letter} {name}" for name, letter in letters.items())
    key += f", {_SEVERAL} several"
    return "\n".join([*(line.rstrip() for line in lines), axis, f"{'':>{margin}}  {ends}", key])


def into_file(path: str, places: Sequence[int], curves: Curves, labels: tuple[str, str]) -> None:
    """Draw the curves into a file, as its name says: .svg or .png.

    Raises:
        Refusal: another name, or matplotlib is missing.
        Failure: the file can't be written.
    """
    kind = Path(path).suffix.lower()
    if kind not in {".svg", ".png"}:
        raise Refusal(f"a plot goes into a file that ends in .svg or .png, not {path!r}.")
    from lab.drawing import DASHES, MARKERS, SERIES, drawing  # noqa: PLC0415 (takes an extra)

    with drawing(7, 4.5) as (canvas, axes):
        for number, (name, values) in enumerate(curves.items()):
            axes.plot(
                places,
                values,
                label=name,
                color=SERIES[number % len(SERIES)],
                marker=MARKERS[number % len(MARKERS)],
                linestyle=DASHES[number % len(DASHES)],
                markersize=4,
                linewidth=1.4,
            )
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
        try:
            canvas.savefig(path, dpi=150, facecolor="white")
        except OSError as error:
            raise Failure(f"{path} can't be written: {error.strerror}.") from None


def _letters(curves: Curves) -> dict[str, str]:
    """A letter for each name: its first that no earlier one has."""
    chosen: dict[str, str] = {}
    for name in curves:
        spare = [c for c in [*name, *name.upper(), *"0123456789"] if c.isalnum()]
        chosen[name] = next((c for c in spare if c not in chosen.values()), "?")
    return chosen
