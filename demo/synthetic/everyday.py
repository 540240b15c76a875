"""Everyday events that rules find: the few of which a SOC wants to know although nothing is wrong, and why that is no mistake."""

from __future__ import annotations

from typing import Final

from synthetic.planned import EVERYDAY, Plant

# Each is of level medium at most: whatever is graver must leave everyday traffic alone.
FOUND: Final = {
    "aws_bedrock_model_access_refused": "A developer asks for a model that only the platform team may open: worth a question.",
    "azure_ai_keys_replaced": "An administrator replaces keys, as planned. Beside other leads it is how a thief locks others out.",
}


# What is delivered once, as if a rule found it: parts of correlations, which make no leads of their own.
ONCE: Final = Plant(deliveries=1)


def found_by(rule: str) -> Plant:
    """Return the plant of an everyday event that the rule is to find."""
    if rule not in FOUND:
        raise AssertionError(f"say in FOUND why {rule} may find everyday events")
    return Plant(rules=(rule,))


def plant_of(call: str, finders: dict[str, str]) -> Plant:
    """Return what is planted with an everyday call: of most nothing.

    Args:
        call: Its name.
        finders: The rules that find calls of some names.
    """
    return found_by(finders[call]) if call in finders else EVERYDAY
