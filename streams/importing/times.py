"""Local dates and times of day as epoch milliseconds, fast: a day is worked out once.

The zone is the mapping's, else `YUPAN_TIMEZONE`. A day on which the clocks change is computed time by time.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.errors import RecordError, UsageError
from schemas.masking import shown

DAY = 86_400_000
HALF = DAY // 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
EPOCH_UNITS = {"epoch_ms": 1, "epoch_s": 1000}
"""Formats that are numbers, and their milliseconds."""


class LocalTime:
    """Times as people of one zone write them."""

    def __init__(self, zone: str, form: str | None = None) -> None:
        self._zone = ZoneInfo(zone)
        self._form = form
        self.of_text = lru_cache(maxsize=1 << 14)(self._of_text)
        self._day = lru_cache(maxsize=1 << 12)(self._read_day)
        self._clock = lru_cache(maxsize=1 << 17)(clock_ms)

    def of_parts(self, day: str, clock: str, near: int | None) -> int:
        """The moment of a date and a time of day, each in its column.

        With `near` the date may be a day off, as for calls over midnight: of the days around it, it is the
        one that puts the moment within 12 hours of `near`. Raises `RecordError(bad_time)`.
        """
        if self._form is not None:
            return self.closest(self.of_text(f"{day} {clock}"), near)
        midnight, offset = self._day(day)
        naive = midnight + self._clock(clock)
        if offset is None:
            return self._slow(naive, near)
        at = naive - offset
        if near is None or -HALF <= at - near <= HALF:
            return at
        return self._slow(naive, near)

    def closest(self, at: int, near: int | None) -> int:
        """`at`, a day earlier or a day later by the local clock, whichever is closest to `near`."""
        if near is None or -HALF <= at - near <= HALF:
            return at
        local = datetime.fromtimestamp(at / 1000, self._zone)
        return self._slow(_naive_ms(local), near)

    def months_before(self, at: int, months: int) -> int:
        """The same day of the month and time of day, `months` earlier (the last day of a shorter month)."""
        local = datetime.fromtimestamp(at / 1000, self._zone)
        years, month = divmod(local.year * 12 + local.month - 1 - months, 12)
        if not 1 <= years <= 9999:
            raise RecordError("bad_time", f"{months} months before is no date")
        for day in range(local.day, local.day - 4, -1):
            try:
                return _ms(local.replace(year=years, month=month + 1, day=day))
            except ValueError:
                continue
        raise AssertionError("every month has 28 days")

    def _slow(self, naive: int, near: int | None) -> int:
        at = self._with_zone(naive)
        if near is None or -HALF <= at - near <= HALF:
            return at
        return min((self._with_zone(naive + shift) for shift in (-DAY, 0, DAY)), key=lambda moment: abs(moment - near))

    def _with_zone(self, naive: int) -> int:
        local = datetime(1970, 1, 1) + timedelta(milliseconds=naive)
        return _ms(local.replace(tzinfo=self._zone))

    def _read_day(self, text: str) -> tuple[int, int | None]:
        """(midnight as if it were UTC, the zone's offset if it is the same for three days around)."""
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise RecordError("bad_time", f"{shown(text)} is no date like 2026-11-22") from None
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=self._zone)
        try:
            offsets = {(noon + timedelta(days=d)).utcoffset() for d in (-2, -1, 0, 1, 2)}
        except OverflowError:
            offsets = set()
        offset = offsets.pop() if len(offsets) == 1 else None
        ms = None if offset is None else round(offset.total_seconds() * 1000)
        return (day.toordinal() - _EPOCH_DAY) * DAY, ms

    def _of_text(self, text: str) -> int:
        if self._form in EPOCH_UNITS:
            return _whole(text) * EPOCH_UNITS[self._form or ""]
        try:
            moment = datetime.strptime(text, self._form) if self._form else datetime.fromisoformat(text)
        except ValueError:
            like = self._form or "2026-11-22 14:05:00 or 2026-11-22T14:05:00+08:00"
            raise RecordError("bad_time", f"{shown(text)} is no time like {like}") from None
        return _ms(moment if moment.tzinfo else moment.replace(tzinfo=self._zone))


def option_ms(option: str, text: str | None, zone: str) -> int | None:
    """Epoch milliseconds of a time or date that a person gave for `option`. Raises `UsageError`."""
    if text is None:
        return None
    try:
        return LocalTime(zone).of_text(text)
    except RecordError as error:
        raise UsageError(f"{option}: {error}") from None


def between_ms(since: str | None, until: str | None, zone: str, so: str) -> tuple[int | None, int | None]:
    """The moments of `--from` and `--to`, epoch ms; `so`: what it means if none lies between. Raises `UsageError`."""
    begin, end = option_ms("--from", since, zone), option_ms("--to", until, zone)
    if begin is not None and end is not None and end <= begin:
        raise UsageError(f"--to is not after --from: {so}")
    return begin, end


def clock_ms(text: str) -> int:
    """Milliseconds since midnight of `9:05`, `9:05:01` or `09:05:01.250`. Raises `RecordError(bad_time)`."""
    parts = text.split(":")
    try:
        hours, minutes = int(parts[0]), int(parts[1])
        seconds = float(parts[2]) if len(parts) > 2 else 0.0
    except (ValueError, IndexError):
        hours = -1
    if hours < 0 or len(parts) > 3 or not (hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 60):
        raise RecordError("bad_time", f"{shown(text)} is no time of day like 14:05:00")
    return (hours * 60 + minutes) * 60_000 + round(seconds * 1000)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RecordError("bad_time", f"{shown(text)} is no whole number") from None


def _ms(moment: datetime) -> int:
    return round((moment - _EPOCH) / timedelta(milliseconds=1))


def _naive_ms(local: datetime) -> int:
    return round((local.replace(tzinfo=None) - datetime(1970, 1, 1)) / timedelta(milliseconds=1))
