"""A report as one page that needs nothing else (Jinja2, extra `report`)."""

import re
from itertools import count
from pathlib import Path
from typing import Final

from lab.drawing import Figure
from lab.refusal import Refusal
from lab.report.model import Report

try:
    import jinja2
    from markupsafe import Markup, escape
except ModuleNotFoundError as _error:
    raise Refusal(
        f"a page takes the package {_error.name}: pip install 'twinos[report]'."
    ) from None

HERE: Final = Path(__file__).parent


def page(report: Report) -> str:
    """The page. It has no script, and nothing in it is fetched from anywhere."""
    numbers = count(1)

    def drawn(figure: Figure) -> Markup:
        return Markup(figure.inline(next(numbers)))  # noqa: S704 (our own drawing)

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"prose": prose, "drawn": drawn}
    style = (HERE / "page.css").read_text(encoding="utf-8")
    template = environment.get_template("page.html")
    return template.render(report=report, style=Markup(style))  # noqa: S704 (our own style)


def prose(text: str) -> Markup:
    """Text with `code`, **strong words** and links as they are meant."""
    told = str(escape(text))
    told = re.sub(r"`([^`]+)`", r"<code>\1</code>", told)
    told = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", told)
    return Markup(told)  # noqa: S704 (escaped above)
