"""The errors of Yupan: each names what was wrong, where, and what to do.

The exit codes are those of the command line (contracts): 1 is for findings and is no error.
"""

from __future__ import annotations

from schemas.masking import masked


class YupanError(Exception):
    """Any error of ours; unless a subclass says otherwise it is our fault."""

    exit_code = 4


class UsageError(YupanError):
    """Wrong use or a wrong setting; the text names the option or setting and the remedy."""

    exit_code = 2


class PartError(YupanError):
    """An outside part or resource cannot be used: broker, ClickHouse, registry, disk."""

    exit_code = 3


class RecordError(YupanError):
    """A record cannot be used. `reason` is a label of `DEAD_LETTER_REASONS`.

    No text of it carries an MSISDN: not the message, nor the field's name, which an upstream may have made of one.
    """

    exit_code = 1

    def __init__(self, reason: str, message: str, field: str | None = None) -> None:
        self.reason = reason
        self.field = masked(field) if field else field
        self.message = masked(message)
        """The text without the field's name."""
        super().__init__(f"{self.field}: {self.message}" if field else self.message)

    def within(self, name: str) -> RecordError:
        """The same error as seen from outside: its field (`details.product`) lies within field `name`."""
        return RecordError(self.reason, self.message, f"{name}.{self.field}" if self.field else name)


DEAD_LETTER_REASONS = (
    "not_avro",  # no magic byte, or the bytes do not fit the schema
    "unknown_schema",  # a schema id that neither we nor the registry know
    "missing_field",
    "bad_type",
    "bad_value",  # the right type, a word outside the list
    "bad_msisdn",  # none, national, or not 11 to 15 digits
    "bad_time",  # before 1990 or in the far future
    "too_late",  # an occurrence more than 24 h before its broker timestamp
    "too_large",
    "wrong_key",  # differs from what the record says
    "wrong_partition",  # a second time; the first time it is re-routed
    "agent_raised",  # our fault: the decision raised
    "sink_refused",  # ClickHouse refuses this row
)


def reason_of(error: BaseException) -> str:
    """The label of `DEAD_LETTER_REASONS` for what a decision raised; foreign exceptions may have a `reason`, too."""
    reason = getattr(error, "reason", None)
    return reason if reason in DEAD_LETTER_REASONS else "agent_raised"
