"""What all Kafka clients of ours share: their settings, and one clear line when the broker does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException

from schemas.errors import PartError

ANSWER_S = 10.0
"""How long a broker may take to answer."""
_OF_CONSUMERS = ("fetch.", "auto.offset.", "isolation.level", "partition.assignment.", "session.timeout.", "group.")


def client_config(bootstrap: str, extra: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """The librdkafka settings of an admin client or producer. `extra` may hold settings of consumers: left out.

    librdkafka's own log is off: what goes wrong is raised, as one line.
    """
    wanted = {k: v for k, v in (extra or {}).items() if not k.startswith(_OF_CONSUMERS)}
    return {"bootstrap.servers": bootstrap, "log_level": 0, **more, **wanted}


def consumer_settings(extra: Mapping[str, str] | None) -> dict[str, str]:
    """Those of `extra` that only consumers understand: what `client_config` leaves out."""
    return {k: v for k, v in (extra or {}).items() if k.startswith(_OF_CONSUMERS)}


def no_answer(bootstrap: str, error: KafkaException | None = None) -> PartError:
    """The error for a broker that cannot be used."""
    why = f" ({error.args[0].str()})" if error is not None and error.args else ""
    return PartError(f"YUPAN_KAFKA={bootstrap}: no answer from Kafka{why}; is it running, and is the address right?")
