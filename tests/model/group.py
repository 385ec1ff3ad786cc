"""The group's coordinator: members, generations, sessions, range assignment; classic and incremental (KIP-848)."""

from __future__ import annotations

from dataclasses import dataclass, field

from confluent_kafka import KafkaError

from tests.model.errors import abortable
from tests.model.schedule import World

Name = tuple[str, int]
NOBODY = ("", -1)


@dataclass(eq=False)
class Member:
    """One member, as the coordinator knows it."""

    id: str
    topics: list[str]
    joined: bool = False
    """Has asked to join the generation that is being made (classic)."""
    generation: int = -1
    assignment: set[Name] = field(default_factory=set)
    """What is its own; in the incremental protocol, what it has not given back yet is still in it."""
    target: set[Name] = field(default_factory=set)
    silent_since: float | None = None


class Group:
    """One group."""

    def __init__(self, world: World, partitions: int, session_s: float) -> None:
        self._world = world
        self._partitions = partitions
        self._session_s = session_s
        self._made = 0
        self.members: dict[str, Member] = {}
        self.generation = 0
        self.rebalancing = False
        self.incremental = False

    # --- members come and go

    def join(self, member: Member | None, topics: list[str]) -> Member:
        """Ask to be a member, or to stay one in the next generation."""
        if member is None or self.members.get(member.id) is not member:
            self._made += 1
            member = Member(f"m{self._made}", topics)
            self.members[member.id] = member
            self._changed()
        member.joined = True
        self.complete()
        return member

    def leave(self, member: Member) -> None:
        """Left, or expelled."""
        if self.members.get(member.id) is member:
            del self.members[member.id]
            self._changed()
            self.complete()

    def silent(self, member: Member) -> None:
        """No heartbeat from now on; expelled when the session ends."""
        member.silent_since = since = self._world.now

        def expire() -> None:
            if member.silent_since == since:
                self.leave(member)

        self._world.later(self._session_s, expire)

    def _changed(self) -> None:
        if self.incremental:
            self._aim()
        elif not self.rebalancing:
            self.rebalancing = True
            for member in self.members.values():
                member.joined = False

    # --- classic: all give up, all join, all get

    def complete(self) -> None:
        """End the rebalance once every member has joined."""
        if self.incremental or not self.rebalancing or not all(m.joined for m in self.members.values()):
            return
        self.rebalancing = False
        self.generation += 1
        for member, names in zip(self.members.values(), self._ranges(), strict=True):
            member.assignment = names
            member.generation = self.generation
            member.joined = False

    def _ranges(self) -> list[set[Name]]:
        members = list(self.members.values())
        found: list[set[Name]] = [set() for _ in members]
        for number in range(self._partitions):
            for topic in members[0].topics if members else ():
                found[number * len(members) // self._partitions].add((topic, number))
        return found

    # --- incremental: each moves to its target by itself

    def _aim(self) -> None:
        self.generation += 1
        for member, names in zip(self.members.values(), self._ranges(), strict=True):
            member.target = names

    def free(self, member: Member) -> set[Name]:
        """What `member` should get and nobody holds."""
        held = {name for other in self.members.values() if other is not member for name in other.assignment}
        return member.target - member.assignment - held

    # --- offset commits

    def check(self, member: tuple[str, int]) -> None:
        """Refuse commits of former members and earlier generations. Kafka takes commits that name neither."""
        name, generation = member
        if member == NOBODY:
            return
        held = self.members.get(name)
        if held is None:
            raise abortable(KafkaError.UNKNOWN_MEMBER_ID, "unknown member")
        if held.generation != generation:
            raise abortable(KafkaError.ILLEGAL_GENERATION, "another generation")
