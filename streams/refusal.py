"""What is sent instead of an event that could not be used, and what the log says when that was our fault."""

from __future__ import annotations

import json
import logging
import traceback

from agents.ports import Clock, Fired, Headers, Message
from schemas import dead_letter as dead
from schemas.errors import RecordError
from schemas.fields import iso
from schemas.headers import cloud_event, content_hash
from schemas.masking import masked
from schemas.topics import LEDGER

log = logging.getLogger(__name__)
Made = tuple[str, bytes | None, bytes | None, Headers]


class Refusal:
    """Makes dead letters (`streams.engine.batch.DeadLetter`); `stage` names who refuses."""

    def __init__(self, stage: str, clock: Clock) -> None:
        self._stage = stage
        self._clock = clock
        self._told: set[tuple[str, str, int]] = set()

    def __call__(self, cause: Message | Fired, error: Exception) -> Made:
        """The dead letter for `cause`: topic, value, key, headers."""
        if not isinstance(error, RecordError):
            self._tell(error)
        if isinstance(cause, Fired):
            return self._of_deadline(cause, error)
        value, key, headers = dead.dead_letter(cause, error, self._stage, self._clock.now_ms())
        return dead.DEAD_LETTER, value, key, headers

    def _tell(self, error: Exception) -> None:
        """Log where we failed, once a place. The error's text stays out: it may quote a customer."""
        frames = traceback.extract_tb(error.__traceback__)
        last = frames[-1] if frames else None
        place = (type(error).__name__, last.filename if last else "", (last.lineno or 0) if last else 0)
        if place in self._told:
            return
        self._told.add(place)
        where = "".join(traceback.format_list(frames)).rstrip()
        log.error("an agent raised %s; the event is dead-lettered, further ones are not logged:\n%s", place[0], where)

    def _of_deadline(self, fired: Fired, error: Exception) -> Made:
        """A deadline has no record: its name and due time are all there is. It lay in the ledger."""
        now = self._clock.now_ms()
        said = {
            dead.TOPIC: LEDGER,
            dead.PARTITION: "-1",
            dead.OFFSET: "-1",
            dead.STAGE: self._stage,
            dead.TYPE: "agent_raised",
            dead.MESSAGE: f"{type(error).__name__} at the deadline {masked(fired.name)}",
            dead.ATTEMPT: "1",
            dead.FIRST_FAILED_AT: iso(now),
        }
        letter_id = content_hash(f"{fired.customer}|{fired.name}|{fired.due_at}".encode())
        headers = cloud_event(dead.DEAD_LETTER, letter_id, self._stage, fired.due_at)
        headers += [(name, text.encode()) for name, text in said.items()]
        value = json.dumps({"deadline": fired.name, "due_at": fired.due_at}).encode()
        return dead.DEAD_LETTER, value, fired.customer.encode(), headers
