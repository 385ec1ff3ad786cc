"""What all Kafka clients of ours share: their settings, and one clear line when the broker does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.errors import PartError, UsageError

ANSWER_S = 10.0
"""How long a broker may take to answer."""
_OF_CONSUMERS = ("fetch.", "auto.offset.", "isolation.level", "partition.assignment.", "session.timeout.", "group.")


def client_config(bootstrap: str, extra: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """The librdkafka settings of an admin client or producer. `extra` may hold settings of consumers: left out.

    librdkafka's own log is off: what goes wrong is raised, as one line. Raises `UsageError` when it refuses
    `extra`: an unknown name, a value out of range, a certificate that cannot be read.
    """
    _check(tuple(sorted((extra or {}).items())))
    wanted = {k: v for k, v in (extra or {}).items() if not k.startswith(_OF_CONSUMERS)}
    return {"bootstrap.servers": bootstrap, "log_level": 0, **more, **wanted}


@lru_cache
def _check(extra: tuple[tuple[str, str], ...]) -> None:
    if not extra:
        return
    try:
        AdminClient({"log_level": 0, **dict(extra)})  # without brokers it asks nobody
    except KafkaException as error:
        why = error.args[0].str().removeprefix("Failed to create admin client: ")
        raise UsageError(f"YUPAN_KAFKA_CONFIG: {why}") from None


def consumer_settings(extra: Mapping[str, str] | None) -> dict[str, str]:
    """Those of `extra` that only consumers understand: what `client_config` leaves out."""
    return {k: v for k, v in (extra or {}).items() if k.startswith(_OF_CONSUMERS)}


def no_answer(bootstrap: str, error: KafkaException | None = None) -> PartError:
    """The error for a broker that cannot be used."""
    why = f" ({error.args[0].str()})" if error is not None and error.args else ""
    return PartError(f"YUPAN_KAFKA={bootstrap}: no answer from Kafka{why}; is it running, and is the address right?")
