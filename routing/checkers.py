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


def shipped() -> Mapping[TextKind, str]:
    """The rules and the policy that Clamor ships."""
    return {"rules": default_rules(), "policy": default_policy()}
