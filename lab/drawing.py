"""Drawing as SVG by matplotlib (extra `report`): how every figure looks.

Lines and letters take the page's colours where a figure is set into one, so the same figure is
light on a light page and dark on a dark one. Colours of series are those of Okabe and Ito, which
people see apart however they see colours; series differ in marker and dash, too.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from lab.refusal import Refusal

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
except ModuleNotFoundError as _error:
    raise Refusal(
        f"figures take the package {_error.name}: pip install 'twinos[report]'."
    ) from None

INK: Final = "#1b1f24"
FAINT: Final = "#c9ced6"
SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7a7a7a")
"""After Okabe and Ito; their yellow is too light for lines, so an ochre stands in for it."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
DASHES: Final = ("-", "--", "-.", ":")

_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "twinos",
    "font.family": ["sans-serif"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure.

    Attributes:
        title: what it shows, in a few words.
        about: what is to be seen, for those who can't see it.
        svg: the drawing.
    """

    title: str
    about: str
    svg: str

    @property
    def standalone(self) -> str:
        """The drawing as a file of its own, on white."""
        start = self.svg.index(">", self.svg.index("<svg")) + 1
        paper = '<rect width="100%" height="100%" fill="#ffffff"/>'
        return f"{self.svg[:start]}{paper}{self.svg[start:]}"

    def inline(self, number: int) -> str:
        """The drawing, to be set into a page as its figure of this number."""
        drawing = self.svg[self.svg.index("<svg") :]
        drawing = re.sub(r'\bid="', f'id="f{number}-', drawing)
        drawing = re.sub(r'href="#', f'href="#f{number}-', drawing)
        drawing = re.sub(r"url\(#", f"url(#f{number}-", drawing)
        for colour, variable in _VARIABLES.items():
            drawing = re.sub(
                f"{colour}", f"var({variable}, {colour})", drawing, flags=re.IGNORECASE
            )
        drawing = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", drawing)
        names = f'role="img" aria-labelledby="f{number}-t f{number}-d"'
        told = (
            f'<title id="f{number}-t">{_escaped(self.title)}</title>'
            f'<desc id="f{number}-d">{_escaped(self.about)}</desc>'
        )
        start = drawing.index(">") + 1
        head = re.sub(r' (width|height)="[^"]*"', "", drawing[: start - 1])
        return f"{head} {names}>{told}{drawing[start:]}"


_VARIABLES: Final = {
    INK: "--ink",
    FAINT: "--line",
    **{colour: f"--s{number}" for number, colour in enumerate(SERIES, 1)},
}


@contextmanager
def drawing(width: float, height: float) -> Iterator[tuple[Canvas, Any]]:
    """A canvas of so many inches, and its axes."""
    with mpl.rc_context(_STYLE):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        yield canvas, canvas.subplots()


def to_svg(canvas: Canvas) -> str:
    """What was drawn; the same for the same drawing."""
    text = io.StringIO()
    with mpl.rc_context(_STYLE):
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": "TwinOS"})
    return text.getvalue()


def plain(axis: Any) -> None:
    """Numbers on an axis as people write them, not as powers of ten."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    if axis.get_scale() == "log":
        low, high = axis.get_view_interval()
        few = high / max(low, 1e-12) < 200
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axis.set_minor_formatter(NullFormatter())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
