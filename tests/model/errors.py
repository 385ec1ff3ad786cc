"""How things end in the model: killed, and Kafka's errors."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException


class Killed(BaseException):
    """The process that runs this code is no more."""


def away() -> KafkaException:
    """The broker did not answer in time; whether it did what was asked is not known."""
    return KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer", False, True, False))


def abortable(code: int, text: str) -> KafkaException:
    """The transaction must be aborted."""
    return KafkaException(KafkaError(code, text, False, False, True))


def fenced() -> KafkaException:
    """Somebody else uses the transactional id, or its transaction timed out."""
    return KafkaException(KafkaError(KafkaError._FENCED, "fenced", True, False, False))
