"""A Query for files: the rules of each log source, bound, compiled and sieved, with the digests that name it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from aibr_hunt.engines.literals import LiteralScanner, scanner_for
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning import MEANING_VERSION
from aibr_hunt.meaning.bind import binder_of, check_bindable, leaves
from aibr_hunt.meaning.match import RuleSet, compile_rules
from aibr_hunt.meaning.sieve import SieveProgram, sieve_of
from aibr_hunt.model.codec import predicate_to_plain
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.predicate import FieldRef, Keyword
from aibr_hunt.model.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How files are read.

    Attributes:
        is_strict: Parse every record, count repeated keys.
        use_sieve: False parses every record; leads are the same.
        use_hyperscan: False takes the slower literal scanner; leads are the same.
        cache: Folder for compiled literal databases; None keeps none.
    """

    is_strict: bool = False
    use_sieve: bool = True
    use_hyperscan: bool = True
    cache: Path | None = None


class Part:
    """The rules of one log source.

    Args:
        rules: Bound on `mapping`, or as written when it is None.
        mapping: The log source's mapping.
        options: How files are read.
    """

    def __init__(self, rules: Sequence[Rule], mapping: Mapping | None, options: Options) -> None:
        """Keep the rules; matcher and scanner are made when first used, once a process."""
        self.rules = tuple(rules)
        self.mapping = mapping
        self.options = options

    def __getstate__(self) -> tuple[tuple[Rule, ...], Mapping | None, Options]:
        """Leave out what is compiled: another process makes its own."""
        return self.rules, self.mapping, self.options

    def __setstate__(self, state: tuple[tuple[Rule, ...], Mapping | None, Options]) -> None:
        """Take the rules; compiled forms are made when first used."""
        self.rules, self.mapping, self.options = state

    @property
    def name(self) -> str:
        """Name of the Source in records: the mapping's, or `as-written`."""
        return AS_WRITTEN if self.mapping is None else self.mapping.name

    @cached_property
    def ruleset(self) -> RuleSet:
        """The matcher."""
        return compile_rules(self.rules, self.mapping)

    @cached_property
    def sieve(self) -> SieveProgram:
        """The sieve."""
        return sieve_of(self.rules, self.mapping)

    @cached_property
    def scanner(self) -> LiteralScanner:
        """The scanner of the sieve's literals."""
        return scanner_for(self.sieve.literals, cache=self.options.cache, use_hyperscan=self.options.use_hyperscan)

    @property
    def parses_everything(self) -> bool:
        """True when no record may be skimmed: strict reading, no sieve, or a rule without a literal."""
        return self.options.is_strict or not self.options.use_sieve or bool(self.sieve.unsieved)

    @cached_property
    def digests(self) -> dict[str, str]:
        """Meaning digest of each rule, by rule id."""
        return {rule.id: meaning_digest(rule, self.mapping) for rule in self.rules}


AS_WRITTEN = "as-written"


class Program:
    """All parts of a query for files.

    Args:
        rules: The rules that were asked for.
        mappings: Every mapping in force: files are recognised by all of them, not only by those with rules.
        mapping_of: Gives a rule's mapping; None for fields as written.
        options: How files are read.
    """

    def __init__(
        self, rules: Sequence[Rule], *, mappings: Sequence[Mapping], mapping_of: MappingABC[str, Mapping | None], options: Options
    ) -> None:
        """Sort the rules by log source; those that cannot be bound are refused by name."""
        self.mappings = tuple(mappings)
        self.options = options
        self.refused: list[tuple[str, str]] = []
        groups: dict[str, list[Rule]] = {}
        kept: dict[str, Mapping | None] = {mapping.name: mapping for mapping in mappings}
        for rule in rules:
            mapping = mapping_of[rule.id]
            try:
                check_bindable(rule.predicate, binder_of(mapping))
            except Unsupported as refusal:
                self.refused.append((rule.id, str(refusal)))
                continue
            groups.setdefault(AS_WRITTEN if mapping is None else mapping.name, []).append(rule)
        self.parts = {name: Part(group, kept.get(name), options) for name, group in groups.items()}
        self._empty: dict[str, Part] = {}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that are asked, by log source."""
        return tuple(rule for part in self.parts.values() for rule in part.rules)

    def part(self, mapping: Mapping | None) -> Part:
        """Return the part of a log source; one without rules still counts and accounts its records."""
        name = AS_WRITTEN if mapping is None else mapping.name
        found = self.parts.get(name) or self._empty.get(name)
        if found is None:
            found = self._empty[name] = Part((), mapping, self.options)
        return found

    def mapping_named(self, name: str) -> Mapping | None:
        """Return the mapping of that name, None when there is none."""
        return next((mapping for mapping in self.mappings if mapping.name == name), None)

    def warm(self) -> None:
        """Compile everything now, so that processes that are forked from this one share it."""
        for part in self.parts.values():
            if part.ruleset.rules and not part.parses_everything:
                part.scanner.scan(b"")

    @property
    def text(self) -> str:
        """The query in words that stay the same: literals and meaning digests by log source, as JSON."""
        body = {
            name: {
                "literals": list(part.sieve.literals),
                "parses_everything": part.parses_everything,
                "meanings": dict(sorted(part.digests.items())),
            }
            for name, part in sorted(self.parts.items())
        }
        return json.dumps(body, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of `text`, hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def meaning_digest(rule: Rule, mapping: Mapping | None) -> str:
    """Return the SHA-256 of what a rule means on a mapping: predicate, bound fields, version of the meaning (docs/record.md section 3)."""
    binder = binder_of(mapping)
    bound: dict[str, object] = {}
    for leaf in leaves(rule.predicate):
        for name in () if isinstance(leaf, Keyword) else (leaf.field, leaf.other) if isinstance(leaf, FieldRef) else (leaf.field,):
            field = binder.field(name)
            bound[name] = [field.paths, field.json_cuts, field.blanks, field.spec.derive]
    if mapping is not None and any(isinstance(leaf, Keyword) for leaf in leaves(rule.predicate)):
        bound["*"] = [[name, binder.field(name).paths] for name in mapping.keywords]
    body = {"meaning": MEANING_VERSION, "predicate": predicate_to_plain(rule.predicate), "fields": bound}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
