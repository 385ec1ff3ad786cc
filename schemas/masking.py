"""Numbers of customers in texts: masked, wherever a text is for people, logs or metrics."""

from __future__ import annotations

import re

_DATE = r"(?!(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d))"
_MAYBE_MSISDN = re.compile(_DATE + r"\d(?:[\s\-().]{0,2}\d){9,}")
"""Ten digits or more, also as people write them (`138-0013-8000`, `+86 (138) 0013 8000`); no date before a time."""
_NO_DIGIT = re.compile(r"\D")


def mask(msisdn: str) -> str:
    """`8613800138000` as `86138****8000`: for people who may not see the number, and for every log line.

    At least four digits are hidden, so of a shorter number less is shown.
    """
    return f"{msisdn[: min(5, len(msisdn) - 8)]}****{msisdn[-4:]}" if len(msisdn) >= 11 else "****"


def masked(text: str) -> str:
    """`text` with every number masked that may be an MSISDN: for texts that somebody else wrote."""
    return _MAYBE_MSISDN.sub(lambda m: mask(_NO_DIGIT.sub("", m[0])), text)


def shown(value: object) -> str:
    """`value` for an error's text: quoted, 40 characters at most, numbers that may be an MSISDN masked."""
    return repr(masked(str(value)[:200])[:40])
