"""Who reads the files of this room: handed to `config.load` by whoever opens a home."""

from __future__ import annotations

from collections.abc import Mapping

from config.content import TextKind
from config.known import Checkers
from routing.check import check_rules
from routing.policy import default_policy
from routing.policy_check import check_policy, contradictions
from routing.rules import default_rules

CHECKERS = Checkers(check_rules, check_policy, contradictions)
"""For whoever changes what is in force, or asks whether it is right."""
IN_USE = Checkers(check_rules, check_policy, lambda papers: [])
"""For every other command: what rules and policy say against one another keeps nobody from using them, and takes long
to find in hundreds of rules."""


def shipped() -> Mapping[TextKind, str]:
    """The rules and the policy that Clamor ships."""
    return {"rules": default_rules(), "policy": default_policy()}
