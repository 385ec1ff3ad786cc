"""What the desk says first (#13): the greeting follows the segment, so at most one applies."""

from __future__ import annotations

from agents.segments import Match
from schemas.fields import Text


def greeting(match: Match | None) -> Text | None:
    """The greeting for a rural contact with the head's name, else the station's; None for everybody else."""
    if match is None or match.segment != "RURAL":
        return None
    entry = match.entry or {}
    name, station = entry.get("name"), entry.get("station")
    if name:
        return {"zh": f"尊敬的{name}站长,{_ZH}", "en": f"Dear station head {name}, {_EN}"}
    if station:
        return {"zh": f"尊敬的{station.removesuffix('站')}站长,{_ZH}", "en": f"Dear head of station {station}, {_EN}"}
    return {"zh": f"尊敬的站长,{_ZH}", "en": f"Dear station head, {_EN}"}


_ZH = "你好,有什么可以帮到您。"
_EN = "hello, how may I help you?"
