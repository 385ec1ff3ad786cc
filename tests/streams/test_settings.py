"""Settings are read strictly: what is wrong is one line that names the setting, the value and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import UsageError
from streams import settings
from streams.settings import Settings


def load(**given: str) -> Settings:
    return Settings.load({f"YUPAN_{name}": value for name, value in given.items()}, Path("no-such-file.toml"))


@pytest.mark.parametrize(
    ("text", "ms"), [("10 min", 600_000), ("500ms", 500), ("1.5h", 5_400_000), ("90", 90_000), ("0s", 0)]
)
def test_a_time_span(text: str, ms: int) -> None:
    assert load(ACT_WITHIN=text).act_within == ms


@pytest.mark.parametrize("text", ["-5s", "inf", "nan", "1e400", "1e300d", "10 fortnights", "ten", "min"])
def test_what_is_no_time_span(text: str) -> None:
    with pytest.raises(UsageError, match=r"^YUPAN_ACT_WITHIN \(in the environment\): .* is not a time span such as"):
        load(ACT_WITHIN=text)


def test_a_deadline_lies_ahead() -> None:
    assert load(DEADLINES="activation=5s,subscription=1 min").deadlines == {"activation": 5_000, "subscription": 60_000}
    for text in ("activation=0s", "activation=-1s", "activation", "activation=soon"):
        with pytest.raises(UsageError, match=r"^YUPAN_DEADLINES .* is not CHECK=SPAN pairs"):
            load(DEADLINES=text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DEADLINES", "activation=5s, activation=6s"),
        ("REPAIRS", "activation=on,activation=off"),
        ("KAFKA_CONFIG", "linger.ms=5,linger.ms=6"),
    ],
)
def test_of_two_values_for_the_same_name_none_is_taken(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=rf"^YUPAN_{name} .*, each (check )?once"):
        load(**{name: text})


@pytest.mark.parametrize("text", ["+86", "0086", "", "86 ", "8600", "49"])
def test_a_country_code_is_written_as_it_stands_in_an_msisdn(text: str) -> None:
    """`+86` would make every national number a wrong one, and the error would name the number."""
    assert [load(COUNTRY_CODE=code).country_code for code in ("86", "1", "852")] == ["86", "1", "852"]
    with pytest.raises(
        UsageError,
        match=r"^YUPAN_COUNTRY_CODE .* is not a country code whose national numbers we know: 86, 1, 852, 853",
    ):
        load(COUNTRY_CODE=text)


def test_an_unknown_setting_is_refused_but_not_what_kubernetes_adds() -> None:
    with pytest.raises(UsageError, match=r"^YUPAN_KAFKAS \(in the environment\): no such setting; known are"):
        load(KAFKAS="broker:9092")
    links = {"SERVICE_HOST": "10.0.0.1", "SERVICE_PORT": "80", "SERVICE_PORT_HTTP": "80", "PORT": "tcp://10.0.0.1:80"}
    ports = {f"METRICS_{name}": value for name, value in links.items()} | {"PORT_80_TCP": "tcp://10.0.0.1:80"}
    assert load(**links, **ports, PORT_80_TCP_ADDR="10.0.0.1") == Settings()


def test_no_setting_looks_like_what_kubernetes_adds() -> None:
    assert [name for name in Settings.__dataclass_fields__ if settings._SERVICE_LINK(f"YUPAN_{name.upper()}")] == []


def test_the_limit_of_dead_letters() -> None:
    found = load(DEAD_LETTER_RUN="0", DEAD_LETTER_SHARE="0.9")
    assert (found.dead_letter_run, found.dead_letter_share) == (0, 0.9)
    assert load(**{name.removeprefix("YUPAN_"): text for name, text in found.environ().items()}) == found
    for text in ("1.1", "-0.1", "nan", "50%"):
        with pytest.raises(UsageError, match=r"^YUPAN_DEAD_LETTER_SHARE .* is not a number from 0 to 1"):
            load(DEAD_LETTER_SHARE=text)
    with pytest.raises(UsageError, match=r"^YUPAN_DEAD_LETTER_RUN .* is not a whole number"):
        load(DEAD_LETTER_RUN="-1")


@pytest.mark.parametrize("form", ["kafka", "KAFKA", "YUPAN_KAFKA", "Kafka", "yupan_kafka"])
def test_a_file_may_write_names_in_any_case_with_or_without_the_prefix(tmp_path: Path, form: str) -> None:
    file = tmp_path / "yupan.toml"
    file.write_text(f'{form} = "broker:9092"\nPARTITIONS = 6\nsegments = ["NEW", "RURAL"]\n')
    found = Settings.load({}, file)
    assert (found.kafka, found.partitions, found.segments) == ("broker:9092", 6, ("NEW", "RURAL"))
    assert found.commit_ms == Settings().commit_ms


def test_the_environment_counts_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "yupan.toml"
    file.write_text('KAFKA = "broker:9092"\nACT_WITHIN = "5min"\n[deadlines]\nactivation = "5s"\n')
    found = Settings.load({"YUPAN_KAFKA": "other:9092", "YUPAN_CONFIG": str(file)})
    assert (found.kafka, found.act_within, found.deadlines) == ("other:9092", 300_000, {"activation": 5_000})


def test_another_command_is_told_what_it_cannot_read_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "yupan.toml"
    file.write_text('KAFKA = "broker:9092"\nINSTANCE = "w1"\nrepairs = "activation=dry_run"\n')
    environ = {"YUPAN_LANGUAGE": "zh", "YUPAN_KAFKA": "other:9092", "YUPAN_CONFIG": str(file)}
    found = Settings.load(environ, partitions=4).with_(instance="", delivery="exactly_once")
    told = {"YUPAN_KAFKA": "other:9092", "YUPAN_INSTANCE": "", "YUPAN_PARTITIONS": "4", "YUPAN_LANGUAGE": "zh"}
    assert found.environ() == {**told, "YUPAN_DELIVERY": "exactly_once"}
    assert Settings.load({"YUPAN_CONFIG": str(file), **found.environ()}) == found
    file.write_text('PARTITIONS = 8\nrepairs = "activation=on"\n')
    assert Settings.load({"YUPAN_CONFIG": str(file)}, partitions=4).environ() == {}


def test_a_command_elsewhere_is_told_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.load({}).with_(kafka="b:1").environ_elsewhere() == {"YUPAN_KAFKA": "b:1"}
    (tmp_path / "yupan.toml").write_text("PARTITIONS = 8\n")
    assert Settings.load({}).environ_elsewhere() == {"YUPAN_CONFIG": str(tmp_path / "yupan.toml")}
    assert Settings.load({"YUPAN_CONFIG": "yupan.toml"}).environ_elsewhere() == Settings.load({}).environ_elsewhere()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('KAFKAS = "b:1"', r"^YUPAN_KAFKAS \(in .*yupan.toml\): no such setting"),
        ('PARTITIONS = "many"', r"^YUPAN_PARTITIONS \(in .*yupan.toml\): 'many' is not a whole number"),
        (
            'repairs = {activation = "onn"}',
            r"^YUPAN_REPAIRS \(in .*yupan.toml\): 'activation=onn' is not CHECK=MODE pairs",
        ),
        ("repairs = {activation = true}", r": 'activation=true' is not CHECK=MODE pairs"),
        ('segments = ["NEW", "OLD"]', r"^YUPAN_SEGMENTS \(in .*yupan.toml\): 'NEW,OLD' is not some of"),
        ('kafka_config = {"sasl.password" = "s3", "x " = "1", x = "2"}', r": 'sasl.password=\*\*\*,x =1,x=2' is not "),
        ('kafka = "a:1"\nKAFKA = "b:1"', r"^YUPAN_KAFKA \(in .*yupan.toml\): is there twice, the second time as KAFKA"),
        ("KAFKA", r"^.*yupan.toml: "),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_the_file(tmp_path: Path, text: str, wanted: str) -> None:
    file = tmp_path / "yupan.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=wanted):
        Settings.load({}, file)


@pytest.mark.parametrize("text", ["http://127.0.0.1:99999", "http://a b", "http://", "alerts:9093", "http://h:x"])
@pytest.mark.parametrize("name", ["ALERTMANAGER", "SCHEMA_REGISTRY"])
def test_an_address_has_a_host_and_a_port_that_can_be(name: str, text: str) -> None:
    assert load(**{name: "https://alerts.example:9093"}) != Settings()
    with pytest.raises(UsageError, match=rf"^YUPAN_{name} \(in the environment\): .* is not (an address|addresses)"):
        load(**{name: text})
