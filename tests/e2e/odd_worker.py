"""A worker process as `yupan worker --role decide` starts it, but with faults: our code fails for some customers.

It also knows two schemas of careless upstreams, as a worker with a schema registry would.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

from agents import audit
from agents.event import Event
from agents.kinds.agree import Agree
from agents.verdicts import Due
from schemas.catalogue import EVENTS
from schemas.codec import codecs

STATE = "yupan.state.v1"
RAISES, RAISES_LATER = "raises", "raises-later"
"""Regions of states: one whose event our code fails on, one whose deadline it fails on."""
WITHOUT_SYSTEM, NUMERIC_MSISDN = 1001, 1002
"""Ids of schemas that upstreams registered."""


def upstream(schema_id: int) -> dict[str, Any]:
    """The schema of that id."""
    schema = copy.deepcopy(EVENTS[STATE].avro)
    if schema_id == WITHOUT_SYSTEM:
        schema["fields"] = [field for field in schema["fields"] if field["name"] != "system"]
    else:
        next(field for field in schema["fields"] if field["name"] == "msisdn")["type"] = "long"
    return schema


def failing_apply(apply: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(states: Any, name: str, event: Event) -> Any:
        done = apply(states, name, event)
        if event.record["region"] == RAISES:
            raise LookupError(f"no such customer: {event.record['msisdn']}")
        return done

    return wrapped


def failing_deadline(fall_due: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(self: Any, due: Due, wait: Any) -> Any:
        if wait["region"] == RAISES_LATER:
            raise LookupError(f"no such customer: {due.msisdn}")
        return fall_due(self, due, wait)

    return wrapped


def main() -> None:
    from streams import cli, worker

    def knowing(settings: Any) -> Any:
        known = codecs()
        for schema_id in (WITHOUT_SYSTEM, NUMERIC_MSISDN):
            known[STATE].learn(schema_id, upstream(schema_id))
        return known

    worker._codecs = knowing
    audit.apply = failing_apply(audit.apply)
    Agree.fall_due = failing_deadline(Agree.fall_due)  # type: ignore[method-assign]
    sys.exit(cli.run(["worker", "--role", "decide"]))


if __name__ == "__main__":
    main()
