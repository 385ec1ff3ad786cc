"""The whole flow in one place: which agent reads which topics, in which role.

state ─────────────► audit ────► anomaly, reminder, internal.incident ─► incidents ─► alert
usage ─────────────► usage ────► anomaly, reminder, internal.incident, internal.rate ─► areas ─► anomaly
repair-result ─────► repairs ──► anomaly, reminder, repair (and internal.repair, by which slots are given)
command ───────────► commands ─► anomaly, reminder, internal.incident, internal.command ─► commands
customer, list ────► profiles ─► reminder, internal.list ─► profiles
call ──────────────► calls ────► tagged-call, reminder, screen-pop (at once), internal.call ─► calls
contact ───────────► contacts ─► internal.contact ─► contacts
ticket ────────────► tickets
retention-task ────► tasks
internal.baseline ─► baselines   notes, at the end of `yupan import --snapshot`, whose full export is in
cutover ───────────► cutovers ─► internal.cutover ─► cutovers; alert, by incidents, when the works are over
seat, … ───────────► observe     only validates: `decide` dead-letters what is unusable on every In topic

history reads what it keeps of all of these, and of what they send, and writes rows to ClickHouse.
alerts reads alert and pushes to Alertmanager (`alerting`; no agent, since each worker reads all of it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from agents import desk
from agents.auditing import auditing
from agents.conclude import Conclusions
from agents.intake import Intake
from agents.observe import Observe
from agents.ports import Batch
from agents.rules import Checks
from agents.shell import Counts, Shell
from schemas.catalogue import EVENTS
from schemas.codec import Codec
from streams.settings import Settings

ROLES = ("decide", "history", "alerts")

Process = Callable[[Batch], None]


class Binding(NamedTuple):
    """An agent: its explicit name, the topics whose batches it alone gets, and what it does with one."""

    agent: str
    topics: Sequence[str]
    process: Process


def decide(settings: Settings, codecs: Mapping[str, Codec], checks: Checks, counts: Counts) -> list[Binding]:
    """The agents of the role `decide`."""
    return deciding(settings, codecs, checks, counts)[0]


def deciding(
    settings: Settings, codecs: Mapping[str, Codec], checks: Checks, counts: Counts
) -> tuple[list[Binding], Conclusions]:
    """The agents of the role `decide`, and who holds the checks that all of them ask."""
    by_events = settings.clock == "events"
    intake = Intake(codecs, settings.partitions, events_clock=by_events, country_code=settings.country_code)
    shell = Shell(intake, codecs, counts, settings.act_within)
    zone, baseline = ZoneInfo(settings.timezone), settings.baseline == "on"
    audit = auditing(shell, checks, zone, settings.language, baseline=baseline)
    agents = (
        *audit.agents,
        desk.Calls(shell, audit.watching, settings.segments),
        desk.Profiles(shell, audit.watching),
        *(make(shell) for make in (desk.Contacts, desk.Tickets, desk.Tasks)),
    )
    bindings = [Binding(type(agent).__name__.lower(), agent.topics, agent.process) for agent in agents]
    taken = {topic for binding in bindings for topic in binding.topics}
    rest = tuple(topic for topic, event in EVENTS.items() if event.flow == "in" and topic not in taken)
    return [*bindings, Binding("observe", rest, Observe(shell).process)], audit.conclusions


def roles(settings: Settings) -> tuple[str, ...]:
    """The roles that `settings` have work for: without an Alertmanager there is nobody to push alerts to."""
    return ROLES if settings.alertmanager else tuple(role for role in ROLES if role != "alerts")


def topics(bindings: list[Binding]) -> tuple[str, ...]:
    """All topics that these agents read."""
    return tuple(topic for binding in bindings for topic in binding.topics)
