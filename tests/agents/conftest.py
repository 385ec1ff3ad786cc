"""The fixtures of this room."""

from tests.agents.replaying import replay

__all__ = ["replay"]
