"""The settings: environment variables `YUPAN_…` over a file `yupan.toml`.

In the file a name may be written in any case, with or without `YUPAN_`.
Every error names the setting, where it was found, its value and what would be right.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agents.repair import MODES
from agents.texts import written
from schemas.errors import UsageError
from schemas.fields import LONGEST, NATIONAL

FILE = "yupan.toml"
_SERVICE_LINK = re.compile(r"YUPAN_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)").fullmatch
"""What Kubernetes adds to the environment of a pod beside a service named yupan or yupan-…: no settings of ours."""


class Form(NamedTuple):
    """What a setting's text must be, in words and as a parser that raises `ValueError` or `KeyError`."""

    wanted: str
    parse: Callable[[Any], Any]


_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(value: Any) -> int:
    """Milliseconds of `500ms`, `10s`, `10min`, `24h`, `3d`; a bare number is seconds. Raises ValueError, KeyError."""
    text = str(value).strip()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    ms = float(number) * _UNITS[text[len(number) :].strip() or "s"]
    _must(0 <= ms < LONGEST, ms)
    return round(ms)


def _must(holds: bool, value: Any) -> Any:
    if not holds:
        raise ValueError
    return value


def _zone(value: Any) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, IsADirectoryError):
        raise ValueError from None
    return str(value)


def _directories(value: Any) -> tuple[str, ...]:
    found = tuple(value) if isinstance(value, list) else tuple(p for p in str(value).split(":") if p)
    return tuple(_must(Path(p).is_dir(), p) for p in found)


def _segments(value: Any) -> tuple[str, ...]:
    found = tuple(value) if isinstance(value, list) else tuple(word.strip() for word in str(value).split(","))
    known = {"MID_HIGH", "NEW", "CAMPUS", "RURAL"}
    return tuple(_must(set(found) <= known and len(set(found)) == len(found), found))


def _addresses(value: Any) -> tuple[str, ...]:
    found = tuple(value) if isinstance(value, list) else tuple(word.strip() for word in str(value).split(","))
    return tuple(_must(_is_url(word, ("http://", "https://")), word) for word in found)


def _is_url(word: str, schemes: tuple[str, ...]) -> bool:
    """Raise `ValueError` for a port that is none."""
    url = urlsplit(word)
    has_host = bool(url.hostname) and url.port != 0 and not any(map(str.isspace, url.netloc))
    return word.startswith(schemes) and (has_host or url.scheme == "chdb")


def _pairs(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else (p.split("=", 1) for p in str(value).split(",") if p)
    found = [(key.strip(), str(word).strip()) for key, word in pairs]
    _must(len(dict(found)) == len(found), found)
    return dict(found)


def _address(value: Any) -> str:
    host, _, port = str(value).rpartition(":")
    return str(_must(bool(host) and 0 <= int(port) <= 65535, value))


def _whole(low: int, high: int) -> Form:
    return Form(f"a whole number from {low} to {high}", lambda v: _must(low <= int(str(v)) <= high, int(str(v))))


def _share(value: Any) -> float:
    return float(_must(0 <= float(str(value)) <= 1, float(str(value))))


def _one_of(*words: str) -> Form:
    return Form(f"one of {', '.join(words)}", lambda v: _must(v in words, v))


def _starts(*schemes: str) -> Form:
    return Form(f"an address that starts with {' or '.join(schemes)}", lambda v: _must(_is_url(str(v), schemes), v))


_TEXT = Form("a text", str)
_SPAN = Form("a time span such as 500ms, 10s, 10min, 24h or 3d", duration_ms)
_ZONE = Form("a time zone of the IANA list, such as Asia/Shanghai", _zone)
_LEDGER = Form("memory or rocksdb:///directory", lambda v: _must(v == "memory" or str(v).startswith("rocksdb:///"), v))
_DIRECTORIES = Form("existing directories, separated by ':'", _directories)
_SEGMENTS = Form("some of MID_HIGH,NEW,CAMPUS,RURAL, each once, separated by ','", _segments)
_PAIRS = Form("librdkafka settings KEY=VALUE, each once, separated by ','", _pairs)
_ADDRESSES = Form("addresses that start with http:// or https://, separated by ','", _addresses)
_SHARE = Form("a number from 0 to 1", _share)
_ADDRESS = Form("host:port", _address)
_COUNTRY = Form(
    f"a country code whose national numbers we know: {', '.join(NATIONAL)}, without + or 00",
    lambda v: _must(str(v) in NATIONAL, str(v)),
)
_DEADLINES = Form(
    "CHECK=SPAN pairs separated by ',', each check once, such as activation=5s",
    lambda v: {check: _must(duration_ms(span) > 0, duration_ms(span)) for check, span in _pairs(v).items()},
)


_REPAIRS = Form(
    f"CHECK=MODE pairs separated by ',', each check once, the mode one of {', '.join(MODES)}",
    lambda v: {check: _must(mode in MODES, mode) for check, mode in _pairs(v).items()},
)


class Origin(NamedTuple):
    """Where settings come from: `file`, when there is one, and for the settings in `said` environment or program."""

    file: Path | None = None
    said: frozenset[str] = frozenset()


def _setting(default: Any, form: Form, doc: str) -> Any:
    metadata = {"form": form, "doc": doc}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """All settings, read and checked. `Settings.load()` is what commands use."""

    kafka: str = _setting("127.0.0.1:9092", _TEXT, "Kafka's bootstrap servers, host:port, separated by ','")
    kafka_config: dict[str, str] = _setting({}, _PAIRS, "further librdkafka settings for every client (TLS, SASL)")
    clickhouse: str = _setting(
        "clickhouse://default:@127.0.0.1:9000/yupan",
        _starts("clickhouse://", "chdb:///", "chdb+http://"),
        "ClickHouse: clickhouse://user:password@host:port/db, chdb:///directory, chdb+http://TOKEN@host:port",
    )
    alertmanager: tuple[str, ...] = _setting(
        (), _ADDRESSES, "Prometheus Alertmanager, of a cluster each member, separated by ','; empty: nobody is alerted"
    )
    schema_registry: str = _setting(
        "", _starts("http://", "https://"), "address of a registry with Confluent's REST interface; empty: none"
    )
    delivery: str = _setting(
        "exactly_once", _one_of("exactly_once", "at_least_once"), "at_least_once for brokers without sound transactions"
    )
    group_protocol: Literal["classic", "consumer"] = _setting(
        "classic",
        _one_of("classic", "consumer"),
        "how workers share partitions: classic, or consumer (KIP-848, of Apache Kafka 4.0 or newer)",
    )
    ledger: str = _setting("memory", _LEDGER, "where a worker keeps its state: memory, or rocksdb:///directory")
    instance: str = _setting("", _TEXT, "a worker's stable name: makes it a static member, keeps its RocksDB")
    partitions: int = _setting(12, _whole(1, 10_000), "partitions of every topic")
    commit_ms: int = _setting(50, _whole(1, 60_000), "milliseconds between commits")
    clock: str = _setting("wall", _one_of("wall", "events"), "events: the clock is the largest occurred_at (replay)")
    act_within: int = _setting(600_000, _SPAN, "older events send no pop, message, repair or alert")
    dead_letter_run: int = _setting(
        1_000, _whole(0, 1_000_000), "so many unusable events in a row, and the share below, stop a worker; 0: never"
    )
    dead_letter_share: float = _setting(0.5, _SHARE, "unusable share of the last 2 × DEAD_LETTER_RUN events")
    checks: tuple[str, ...] = _setting((), _DIRECTORIES, "directories of an operator's own checks, separated by ':'")
    baseline: str = _setting(
        "off",
        _one_of("off", "on"),
        "on: no check speaks before full exports of its systems are in (import --snapshot)",
    )
    deadlines: dict[str, int] = _setting({}, _DEADLINES, "other deadlines for checks: activation=5s,…")
    repairs: dict[str, str] = _setting(
        {}, _REPAIRS, "automatic repair: activation=dry_run,…; modes are off (as without), dry_run and on"
    )
    segments: tuple[str, ...] = _setting(
        ("MID_HIGH", "NEW", "CAMPUS", "RURAL"), _SEGMENTS, "the ranking of the segments; one left out is never given"
    )
    timezone: str = _setting("Asia/Shanghai", _ZONE, "days, months and --from/--to without offset are in it")
    country_code: str = _setting(
        "86", _COUNTRY, "national numbers of this country are refused on topics, and completed by publish and import"
    )
    language: str = _setting("zh", _one_of("zh", "en"), "the language of texts for people")
    metrics: str = _setting("127.0.0.1:0", _ADDRESS, "host:port of the Prometheus endpoint; port 0 takes a free one")
    origin: Origin = field(default=Origin(), compare=False, repr=False)
    """No setting itself."""

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ, file: Path | None = None, **defaults: Any) -> Settings:
        """Read `yupan.toml` (in the working directory, or YUPAN_CONFIG), then `YUPAN_…` over it; `defaults` under both.

        Raises `UsageError` that names the setting and what would be right.
        """
        path = file or Path(environ.get("YUPAN_CONFIG", FILE))
        found: dict[str, tuple[Any, str]] = {}
        for name, value in _read(path, "YUPAN_CONFIG" in environ).items():
            if _plain(name) in found:
                raise UsageError(f"YUPAN_{_plain(name).upper()} (in {path}): is there twice, the second time as {name}")
            found[_plain(name)] = (value, str(path))
        said = defaults.keys() - found.keys()
        for name, value in environ.items():
            if name.startswith("YUPAN_") and name not in ("YUPAN_CONFIG", "YUPAN_CACHE") and not _SERVICE_LINK(name):
                found[_plain(name)] = (value, "the environment")
                said.add(_plain(name))
        origin = Origin(path.absolute() if path.is_file() else None, frozenset(said))
        return cls(**(defaults | _parsed(found)), origin=origin)

    def with_(self, **changes: Any) -> Settings:
        """A copy with some settings replaced."""
        return replace(self, **changes, origin=self.origin._replace(said=self.origin.said | changes.keys()))

    def environ(self) -> dict[str, str]:
        """The environment of another command that is run here: what it cannot read in `yupan.toml` by itself.

        What the file says is left out: it may be changed, and would then be overruled.
        """
        said = [f.name for f in all_settings() if f.name in self.origin.said]
        return {f"YUPAN_{name.upper()}": _written(name, getattr(self, name)) for name in said}

    def environ_elsewhere(self) -> dict[str, str]:
        """The same for a command that is run in another directory: it is told where `yupan.toml` is."""
        file = self.origin.file
        return self.environ() | ({} if file is None else {"YUPAN_CONFIG": str(file)})

    def described(self) -> list[tuple[str, str, str]]:
        """(name, value as text, meaning) of every setting; passwords are left out."""
        rows = ((f.name, _written(f.name, getattr(self, f.name)), f.metadata["doc"]) for f in all_settings())
        return [(name, without_password(value), doc) for name, value, doc in rows]


def all_settings() -> list[Field[Any]]:
    """The fields that are settings; `form` and `doc` are in their metadata."""
    return [one for one in fields(Settings) if one.metadata]


def _plain(name: str) -> str:
    """`YUPAN_KAFKA`, `KAFKA` and `kafka` are one setting."""
    return name.lower().removeprefix("yupan_")


def without_password(text: str) -> str:
    """`clickhouse://***@host` and `sasl.password=***`: settings are shown, secrets are not."""
    return re.sub(r"://[^@/]+@", "://***@", re.sub(r"(password=)[^,]*", r"\1***", text))


def _read(path: Path, named: bool) -> dict[str, Any]:
    if not path.is_file():
        if named:
            raise UsageError(f"YUPAN_CONFIG: no file {path}")
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path}: {error}") from None


def _parsed(found: Mapping[str, tuple[Any, str]]) -> dict[str, Any]:
    known = {f.name: f.metadata for f in all_settings()}
    values = {}
    for name, (value, where) in found.items():
        if name not in known:
            names = ", ".join(f"YUPAN_{n.upper()}" for n in known)
            raise UsageError(f"YUPAN_{name.upper()} (in {where}): no such setting; known are {names}")
        if value == "" and name in (
            "alertmanager",
            "schema_registry",
            "instance",
            "checks",
            "deadlines",
            "repairs",
            "kafka_config",
        ):
            continue
        form: Form = known[name]["form"]
        try:
            values[name] = form.parse(value)
        except (ValueError, KeyError, TypeError):
            shown = without_password(_as_text(value))
            raise UsageError(f"YUPAN_{name.upper()} (in {where}): {shown!r} is not {form.wanted}") from None
    return values


def _as_text(value: Any) -> str:
    """A value of `yupan.toml` as the environment would have it, lists and pairs, too."""
    if isinstance(value, dict):
        return ",".join(f"{key}={_as_text(held)}" for key, held in value.items())
    if isinstance(value, list):
        return ",".join(map(_as_text, value))
    return written(value)


def _written(name: str, value: Any) -> str:
    if name == "act_within":
        return f"{value}ms"
    if name == "deadlines":
        return ",".join(f"{k}={v}ms" for k, v in value.items())
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items())
    if isinstance(value, tuple):
        return (":" if name == "checks" else ",").join(value)
    return str(value)
