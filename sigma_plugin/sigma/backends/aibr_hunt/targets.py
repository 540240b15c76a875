"""pySigma back ends that lower nothing themselves: rule to our loader, our compiler's text back, refusals as SigmaErrors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, cast

from sigma.backends.aibr_hunt.written import read_rule
from sigma.collection import SigmaCollection
from sigma.conversion.base import TextQueryBackend
from sigma.conversion.state import ConversionState
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaBackendError, SigmaConfigurationError, SigmaError, SigmaFeatureNotSupportedByBackendError
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule

from aibr_hunt.cli.compile import asking_of, layout_of, span_of
from aibr_hunt.cli.layouts import Layouts, Wanted
from aibr_hunt.cli.settings import Settings
from aibr_hunt.compile.program import sieve_query, whole_query
from aibr_hunt.content.library import Library
from aibr_hunt.errors import AibrError, Unsupported, UsageError
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.query import Query, Span
from aibr_hunt.model.rule import Rule

OPTIONS: Final = ("layout", "table", "from", "to", "last")
# What pySigma calls when a condition was converted; it may change the text, or drop it.
_Told = Callable[[SigmaRule | SigmaCorrelationRule, str | None, int, Any, Any], Any]


class Target(TextQueryBackend):
    """What the targets share. pySigma's own conversion, and its hundred tokens, are left unused.

    Args:
        processing_pipeline: Applied to a copy of each rule. What it leaves must be Sigma again, else the rule is refused.
        collect_errors: True keeps what is refused in `errors` and goes on.
        backend_options: Some of OPTIONS.

    Raises:
        TypeError: An option is unknown. sigma-cli looks for this class, and for the name in quotes.
    """

    engine: ClassVar[EngineKind]
    identifier: ClassVar[str]
    formats: ClassVar[dict[str, str]] = {
        "default": "The rule as a whole: exactly the rows that meet it",
        "sieve": "A necessary condition of it, shorter: a superset of the rows that meet it",
    }

    def __init__(
        self,
        processing_pipeline: ProcessingPipeline | None = None,
        collect_errors: bool = False,  # noqa: FBT001, FBT002 - pySigma's signature
        **backend_options: Any,
    ) -> None:
        """Keep the options; their values are looked at when something is converted."""
        for name in backend_options:
            if name not in OPTIONS:
                raise TypeError(f"{self.identifier} has no option '{name}'; it has {', '.join(OPTIONS)}")
        super().__init__(processing_pipeline, collect_errors, **backend_options)

    def convert(  # noqa: PLR0917 - pySigma's signature
        self,
        rule_collection: SigmaCollection,
        output_format: str | None = None,
        correlation_method: str | None = None,
        callback: _Told | None = None,
    ) -> Any:
        """Return one text a rule.

        Raises:
            SigmaConfigurationError: An option cannot be, whether errors are collected or not.
            SigmaError: A rule is refused, and errors are not collected.
        """
        try:
            _ = self._span, self._library, self._layouts  # before the first rule: a wrong option is no fault of a rule
        except AibrError as error:
            raise SigmaConfigurationError(str(error)) from error
        return super().convert(rule_collection, output_format, correlation_method, callback)

    def convert_rule(self, rule: SigmaRule, output_format: str | None = None, callback: _Told | None = None) -> list[Any]:
        """Return the text of one rule in a list; an empty list when it was refused and kept in `errors`, or is not to be shown.

        Raises:
            SigmaError: The rule is refused, and errors are not collected.
        """
        wanted = output_format or self.default_format
        if self.__dict__.get("last_processing_pipeline") is None:
            self.init_processing_pipeline(wanted)
        try:
            text = self._text(rule, wanted)
            query: Any = text if callback is None else callback(rule, wanted, 0, rule.detection.parsed_condition[0], text)
            state = ConversionState()
            queries = [] if query is None else [self.finalize_query(rule, query, 0, state, wanted)]
        except SigmaError as error:
            if not self.collect_errors:
                raise
            self.errors.append((rule, error))
            return []
        rule.set_conversion_result(queries)
        rule.set_conversion_states([state])
        return queries if rule._output else []  # noqa: SLF001 - pySigma's own way to say that a rule serves a correlation only

    def convert_correlation_rule(  # noqa: PLR0917 - pySigma's signature
        self,
        rule: SigmaCorrelationRule,
        output_format: str | None = None,  # noqa: ARG002 - as above
        method: str | None = None,  # noqa: ARG002 - as above
        callback: _Told | None = None,  # noqa: ARG002 - as above
    ) -> list[Any]:
        """Refuse the rule by name.

        Raises:
            SigmaFeatureNotSupportedByBackendError: Unless errors are collected.
        """
        what = f"The correlation rule {rule.name or rule.title} is not supported: a query of {self.identifier} asks for single events."
        error = SigmaFeatureNotSupportedByBackendError(what)
        if not self.collect_errors:
            raise error
        self.errors.append((cast("SigmaRule", rule), error))  # as pySigma's own back ends do
        return []

    def finalize_query_sieve(self, rule: SigmaRule, query: Any, index: int, state: ConversionState) -> Any:  # noqa: ARG002, PLR0917 - as above
        """Return the text as it is."""
        return query

    def finalize_output_sieve(self, queries: list[Any]) -> list[Any]:
        """Return the texts as they are."""
        return queries

    def _text(self, rule: SigmaRule, wanted: str) -> str:
        """Return our compiler's text for a rule; what it refuses becomes a SigmaError with its message."""
        if rule.errors:
            raise rule.errors[0]
        if wanted not in self.formats:
            raise SigmaBackendError(f"{self.identifier} has no format {wanted}; it has {', '.join(self.formats)}.")
        try:
            query = self._query(read_rule(self._transformed(rule), self._library.placeholders), wanted)
        except Unsupported as error:
            raise SigmaFeatureNotSupportedByBackendError(str(error)) from error
        except AibrError as error:
            raise SigmaBackendError(str(error)) from error
        return query.text

    def _transformed(self, rule: SigmaRule) -> SigmaRule:
        """Return the rule as the pipeline leaves it; the one that was handed in stays what it is."""
        pipeline = self.last_processing_pipeline
        if not pipeline.items:
            return rule
        found = copy.deepcopy(rule)
        pipeline.apply(found)
        if pipeline.state:
            hint = f"Layouts say where {self.identifier} reads: use -O layout= and -O table=."
            what = f"A processing pipeline that sets {', '.join(sorted(pipeline.state))}"
            raise Unsupported(what, "nothing here reads what it sets.", hint=hint)
        return found

    def _query(self, rule: Rule, wanted: str) -> Query:
        mapping = self._layouts.mapping_of(rule.logsource)
        asking = asking_of([rule], mapping, layout_of(rule, mapping, self.engine, self._layouts), self._span)
        return sieve_query([rule], asking) if wanted == "sieve" else whole_query([rule], asking)

    @cached_property
    def _settings(self) -> Settings:
        """The settings in force, as `aibr-hunt config show` tells them."""
        return Settings.load({}, here=Path.cwd())

    @cached_property
    def _library(self) -> Library:
        return Library(self._settings.content)

    @cached_property
    def _layouts(self) -> Layouts:
        wanted = Wanted(layout=self._options.get("layout", ""), table=self._options.get("table", ""))
        return Layouts(self._library, self._settings, wanted)

    @cached_property
    def _span(self) -> Span:
        return span_of(*(self._options.get(name) for name in ("from", "to", "last")))

    @cached_property
    def _options(self) -> dict[str, str]:
        """The options as texts: sigma-cli makes a number of what looks like one, and a list of what is given twice."""
        options: dict[str, object] = {**self.backend_options}
        for name, value in options.items():
            if isinstance(value, list | tuple):
                raise UsageError(f"The option {name} is given {len(value)} times.", hint="Give it once.")
        return {name: str(value) for name, value in options.items()}


class AthenaTarget(Target):
    """SQL for Amazon Athena."""

    name: ClassVar[str] = "Amazon Athena SQL by aibr_hunt"
    identifier: ClassVar[str] = "aibr_athena"
    engine: ClassVar[EngineKind] = EngineKind.ATHENA


class BigQueryTarget(Target):
    """SQL for Google BigQuery."""

    name: ClassVar[str] = "Google BigQuery SQL by aibr_hunt"
    identifier: ClassVar[str] = "aibr_bigquery"
    engine: ClassVar[EngineKind] = EngineKind.BIGQUERY


class KqlTarget(Target):
    """KQL for Microsoft Sentinel and Log Analytics."""

    name: ClassVar[str] = "Microsoft Sentinel and Log Analytics KQL by aibr_hunt"
    identifier: ClassVar[str] = "aibr_kql"
    engine: ClassVar[EngineKind] = EngineKind.KQL


class DuckDBTarget(Target):
    """SQL for DuckDB."""

    name: ClassVar[str] = "DuckDB SQL by aibr_hunt"
    identifier: ClassVar[str] = "aibr_duckdb"
    engine: ClassVar[EngineKind] = EngineKind.DUCKDB
