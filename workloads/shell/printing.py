"""`echo` and `printf`, as the shell has them."""

import re
from collections.abc import Iterator
from typing import Final

from workloads.shell.state import ShellFault

_ESCAPE: Final = re.compile(r"\\(0?[0-7]{1,3}|.)", re.DOTALL)
_OCTAL: Final = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)
_SIMPLE: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\",
}  # fmt: skip
_CONVERSION: Final = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([a-zA-Z%])")
_STOP: Final = "\0"


def echo(arguments: list[str]) -> str:
    """What `echo` writes: escapes are replaced, `-n` leaves the end of the line away."""
    newline = "\n"
    if arguments[:1] == ["-n"]:
        arguments, newline = arguments[1:], ""
    text = _escaped(" ".join(arguments), zero=True)
    head, stop, _ = text.partition(_STOP)
    return head if stop else head + newline


def printf(arguments: list[str]) -> tuple[str, str]:
    """What `printf` writes, and what it complains of. ShellFault: no format, or a wrong one."""
    if not arguments:
        raise ShellFault("usage: printf format [arg ...]")
    form, rest = arguments[0], list(arguments[1:])
    out, complaint = "", ""
    while True:
        before = len(rest)
        text, wrong = _formatted(form, rest)
        out += text.partition(_STOP)[0]
        complaint = complaint or wrong
        if _STOP in text or not rest or len(rest) == before:
            return out, complaint


def _formatted(form: str, rest: list[str]) -> tuple[str, str]:
    """One use of the format; the arguments that it uses are taken from `rest`."""
    out, place, complaint = "", 0, ""
    for match in _CONVERSION.finditer(form):
        if match.start() < place:
            continue
        out += _escaped(form[place : match.start()], zero=False)
        place = match.end()
        text, wrong = _converted(match, rest)
        out += text
        complaint = complaint or wrong
    tail = form[place:]
    if re.search(r"%(?!%)", tail):
        raise ShellFault(f"printf: {tail}: invalid directive")
    return out + _escaped(tail, zero=False), complaint


def _converted(match: re.Match[str], rest: list[str]) -> tuple[str, str]:
    flags, width, precision, kind = match.groups()
    if kind == "%":
        return "%", ""
    width = _number(rest)[0] if width == "*" else int(width or 0)
    exact = "." in match[0]
    digits = _number(rest)[0] if precision == "*" else int(precision or 0)
    form = f"%{flags}{width or ''}{f'.{digits}' if exact else ''}"
    if kind in "sbc":
        text = rest.pop(0) if rest else ""
        text = _escaped(text, zero=True) if kind == "b" else text[:1] if kind == "c" else text
        return f"{form}s" % text, ""
    if kind in "diouxX":
        number, wrong = _number(rest)
        return f"{form}{'d' if kind in 'iu' else kind}" % number, wrong
    if kind in "eEfFgG":
        text = rest.pop(0) if rest else "0"
        try:
            return f"{form}{kind}" % float(text), ""
        except ValueError:
            return f"{form}{kind}" % 0.0, f"printf: {text}: expected numeric value"
    raise ShellFault(f"printf: {match[0]}: invalid directive")


def _number(rest: list[str]) -> tuple[int, str]:
    """The next argument as a number, and what is wrong with it."""
    text = rest.pop(0) if rest else "0"
    if text[:1] in {"'", '"'}:
        return ord(text[1:2] or "\0"), ""
    match = re.match(r"\s*([-+]?)(0[xX][0-9a-fA-F]+|\d+)?", text)
    digits = match[2] if match else None
    if digits is None:
        return 0, f"printf: {text}: expected numeric value"
    base = 16 if digits[:2].lower() == "0x" else 8 if digits.startswith("0") else 10
    try:
        value = int(digits, base)
    except ValueError:
        value = 0
    value = -value if match and match[1] == "-" else value
    whole = match is not None and match.end() == len(text)
    return value, "" if whole else f"printf: {text}: not completely converted"


def _escaped(text: str, *, zero: bool) -> str:
    """Escapes replaced; octal numbers begin with 0 if `zero`. That of c is the end of all."""
    return "".join(_pieces(text, zero=zero))


def _pieces(text: str, *, zero: bool) -> Iterator[str]:
    place = 0
    for match in (_ESCAPE if zero else _OCTAL).finditer(text):
        yield text[place : match.start()]
        place = match.end()
        letter = match[1]
        if letter[0] in "01234567" and (not zero or letter[0] == "0"):
            yield bytes([int(letter, 8) & 0xFF]).decode("utf-8", "surrogateescape")
        elif letter == "c":
            yield _STOP
            return
        elif zero and letter[0].isdecimal():
            yield "\\" + letter
        else:
            yield _SIMPLE.get(letter, "\\" + letter)
    yield text[place:]
