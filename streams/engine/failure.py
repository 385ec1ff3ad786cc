"""What happens when an engine cannot go on: the process ends, and its supervisor starts it anew."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from confluent_kafka import KafkaException

from schemas.errors import YupanError

log = logging.getLogger(__name__)
Failed = Callable[[BaseException], None]
OUTSIDE = 3
OURS = 4


def exit_code(error: BaseException) -> int:
    """3: an outside part cannot be used; 4: our fault."""
    if isinstance(error, YupanError):
        return error.exit_code
    return OUTSIDE if isinstance(error, KafkaException) else OURS


def end_process(error: BaseException) -> None:
    """Say why, and end at once: the broker still believes in a transaction that must not be continued."""
    code = exit_code(error)
    expected = isinstance(error, YupanError | KafkaException)
    log.critical(
        "the engine cannot go on, the process ends with exit code %d: %s", code, error, exc_info=not expected and error
    )
    logging.shutdown()
    os._exit(code)
