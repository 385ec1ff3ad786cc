"""What a cell's text means: small conversions, each of which says what it wanted."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal, InvalidOperation

from schemas.errors import RecordError
from schemas.fields import international, is_msisdn
from schemas.masking import shown

NOBODY = frozenset({"", "0"})
"""Identifiers that name nobody."""
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", re.ASCII).fullmatch
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?", re.ASCII).fullmatch
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII).fullmatch
_SHORTENED = re.compile(r"[0-9]([.,][0-9]+)?[eE]\+[0-9]{2}", re.ASCII).fullmatch
SYNTHETIC = "999"
"""What the stand-ins for other identifiers begin with: no country has this code."""
TRUE = frozenset({"true", "yes", "y", "t", "1", "on", "是"})
FALSE = frozenset({"false", "no", "n", "f", "0", "off", "否"})


def number(text: str, factor: Decimal | None = None) -> int | float:
    """A whole or decimal number, `1,234.50` too; `factor` multiplies exactly. Raises `RecordError(bad_type)`."""
    if factor is None and _WHOLE(text):
        return int(text)
    plain = text.replace(",", "") if _THOUSANDS(text) else text
    if not _NUMBER(plain):
        raise RecordError("bad_type", f"{shown(text)} is no number")
    if factor is None:
        return float(plain) if "." in plain else int(plain)
    try:
        product = Decimal(plain) * factor
    except InvalidOperation:
        raise RecordError("bad_type", f"{shown(text)} is no number that we can hold") from None
    return int(product) if product == product.to_integral_value() else float(product)


def boolean(text: str) -> bool:
    """Yes or no in the usual words of English and Chinese. Raises `RecordError(bad_type)`."""
    word = text.lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise RecordError("bad_type", f"{shown(text)} is neither yes nor no")


def msisdn(text: str, country_code: str) -> str:
    """A number with country code. Raises `RecordError(bad_msisdn)`, whose text does not show it."""
    found = international(text, country_code)
    if not is_msisdn(found, country_code):
        raise RecordError("bad_msisdn", "no number: 11 to 15 digits with country code, or a national number")
    return found


def synthetic(identifier: str) -> str:
    """The stand-in for an identifier that is no MSISDN: `999` and 12 digits of its SHA-256.

    The digits are the first 8 bytes of the hash of the UTF-8 text, as a big-endian number, modulo 10^12; the same
    identifier is the same customer in every import.
    """
    digest = hashlib.sha256(identifier.encode()).digest()
    return f"{SYNTHETIC}{int.from_bytes(digest[:8], 'big') % 10**12:012d}"


def customer(text: str, country_code: str) -> str:
    """A number when it is one, else the synthetic stand-in.

    Raises `RecordError(bad_msisdn)` for what a spreadsheet has made of a number: nobody knows whose it was.
    """
    found = international(text, country_code)
    if is_msisdn(found, country_code):
        return found
    if _SHORTENED(text.strip()):
        raise RecordError("bad_msisdn", "a number that a spreadsheet has shortened; export it as text")
    return synthetic(text)


_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?", re.ASCII).fullmatch


def scalar(text: str) -> str | bool | int | float:
    """What a cell of no certain kind means: a boolean, a plain number, else the text. Raises `RecordError`."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return number(text, None) if _PLAIN_NUMBER(text) else text
