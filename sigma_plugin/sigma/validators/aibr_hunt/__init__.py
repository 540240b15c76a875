"""Checks that aibr_hunt adds to `sigma check`: tags against its own catalogues, offline, the `atlas` namespace allowed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule
from sigma.validators.base import SigmaRuleValidator, SigmaValidationIssue, SigmaValidationIssueSeverity
from sigma.validators.core.tags import NamespaceTagValidator

from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.library import Library

__all__ = ["validators"]


@dataclass
class CatalogueTagIssue(SigmaValidationIssue):
    """A tag that cannot stand.

    Attributes:
        tag: The tag as written.
        what: The fault and what to write instead.
    """

    description: ClassVar[str] = "ATT&CK or ATLAS tag that its catalogue does not bear out"
    severity: ClassVar[SigmaValidationIssueSeverity] = SigmaValidationIssueSeverity.MEDIUM
    tag: str
    what: str


class AtlasNamespaceTagValidator(NamespaceTagValidator):
    """Validate rule tag namespace, with atlas among the allowed ones."""

    allowed_namespace = NamespaceTagValidator.allowed_namespace | {"atlas"}


class CatalogueTagValidator(SigmaRuleValidator):
    """Check ATT&CK and ATLAS tags against the catalogues that aibr_hunt ships: unknown and retired ids, tactics that do not fit."""

    def validate(self, rule: SigmaRule | SigmaCorrelationRule) -> list[SigmaValidationIssue]:
        """Return an issue for each fault of the rule's tags."""
        faults = _catalogue().check_tags(str(tag) for tag in rule.tags)
        return [CatalogueTagIssue([rule], fault.tag, f"{fault.what} {fault.hint}".strip()) for fault in faults]


@cache
def _catalogue() -> Catalogue:
    return Library().catalogue


validators = {"aibr_namespace_tag": AtlasNamespaceTagValidator, "aibr_catalogue_tag": CatalogueTagValidator}
