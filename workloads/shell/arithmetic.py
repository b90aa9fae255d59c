"""`$(( ))`: integer arithmetic as in C, by precedence climbing."""

import re
from collections.abc import Callable
from typing import Final

_TOKEN: Final = re.compile(
    r"\s*(0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*|<<=|>>=|&&|\|\||[-+*/%&|^]=|<<|>>|[<>=!]=|[-+*/%<>=!~&^|?:()])"
)
_PRECEDENCE: Final = {
    "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6,
    "<": 7, ">": 7, "<=": 7, ">=": 7, "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}  # fmt: skip
_ASSIGNING: Final = frozenset(["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="])
_WORD: Final = 1 << 64


class ArithmeticFault(Exception):
    """What was to be reckoned makes no sense; the text says why."""


def evaluate(text: str, get: Callable[[str], str], put: Callable[[str, str], None]) -> int:
    """The value of an expression, in 64 bits.

    Args:
        text: the expression.
        get: a variable's value.
        put: sets a variable.

    Raises:
        ArithmeticFault: it is none, or divides by zero.
    """
    reckoner = _Reckoner(text, get, put)
    return reckoner.whole()


class _Reckoner:
    def __init__(
        self, text: str, get: Callable[[str], str], put: Callable[[str, str], None]
    ) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._get = get
        self._put = put
        self._off = 0  # how many times what is reckoned has no effect: the other side of && or ?

    def whole(self) -> int:
        value = self._assignment() if self._tokens else 0
        if self._tokens:
            raise self._fault()
        return value

    def _fault(self) -> ArithmeticFault:
        return ArithmeticFault(f'arithmetic expression: expecting primary: "{self._text}"')

    def _next(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self) -> str:
        if not self._tokens:
            raise self._fault()
        return self._tokens.pop(0)

    def _assignment(self) -> int:
        if len(self._tokens) > 1 and self._tokens[1] in _ASSIGNING and _is_name(self._tokens[0]):
            name, operator = self._take(), self._take()
            value = self._assignment()
            if operator != "=":
                value = self._apply(operator[:-1], self._value(name), value)
            if not self._off:
                self._put(name, str(value))
            return value
        return self._conditional()

    def _conditional(self) -> int:
        condition = self._binary(1)
        if self._next() != "?":
            return condition
        self._take()
        yes = self._quietly(self._assignment, off=not condition)
        if self._take() != ":":
            raise self._fault()
        no = self._quietly(self._conditional, off=bool(condition))
        return yes if condition else no

    def _quietly(self, reckon: Callable[[], int], *, off: bool) -> int:
        self._off += off
        try:
            return reckon()
        finally:
            self._off -= off

    def _binary(self, least: int) -> int:
        left = self._unary()
        while _PRECEDENCE.get(self._next(), 0) >= least:
            operator = self._take()
            level = _PRECEDENCE[operator] + 1
            off = (operator == "&&" and not left) or (operator == "||" and bool(left))
            right = self._quietly(lambda level=level: self._binary(level), off=off)  # type: ignore[misc]  # a default
            left = self._apply(operator, left, right)
        return left

    def _unary(self) -> int:
        taken = self._take()
        if taken in {"-", "+", "!", "~"}:
            value = self._unary()
            return {"-": -value, "+": value, "!": int(not value), "~": ~value}[taken]
        if taken == "(":
            value = self._assignment()
            if self._take() != ")":
                raise self._fault()
            return value
        if _is_name(taken):
            return self._value(taken)
        if taken[0].isdigit():
            return _number(taken)
        raise self._fault()

    def _value(self, name: str) -> int:
        text = self._get(name).strip()
        if not text:
            return 0
        try:
            return _number(text)
        except ValueError:
            raise ArithmeticFault(f"Illegal number: {text}") from None

    def _apply(self, operator: str, left: int, right: int) -> int:
        if operator in {"/", "%"}:
            if not right:
                if self._off:
                    return 0
                raise ArithmeticFault(f'arithmetic expression: division by zero: "{self._text}"')
            quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
            return _wrapped(quotient if operator == "/" else left - quotient * right)
        return _wrapped(
            {
                "+": lambda: left + right,
                "-": lambda: left - right,
                "*": lambda: left * right,
                "<<": lambda: left << (right & 63),
                ">>": lambda: left >> (right & 63),
                "&": lambda: left & right,
                "|": lambda: left | right,
                "^": lambda: left ^ right,
                "<": lambda: int(left < right),
                ">": lambda: int(left > right),
                "<=": lambda: int(left <= right),
                ">=": lambda: int(left >= right),
                "==": lambda: int(left == right),
                "!=": lambda: int(left != right),
                "&&": lambda: int(bool(left and right)),
                "||": lambda: int(bool(left or right)),
            }[operator]()
        )


def _tokens(text: str) -> list[str]:
    tokens, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise ArithmeticFault(f'arithmetic expression: expecting EOF: "{text}"')
        tokens.append(match[1])
        place = match.end()
    return tokens


def _is_name(token: str) -> bool:
    return token[:1].isidentifier()


def _number(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    base = 16 if digits[:2].lower() == "0x" else 8 if digits.startswith("0") else 10
    return _wrapped(sign * int(digits, base))


def _wrapped(value: int) -> int:
    value %= _WORD
    return value - _WORD if value >= _WORD // 2 else value
