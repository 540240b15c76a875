"""`aibr-hunt rules`: list, show, check, test, measure, start, match, compile, explain and migrate rules and correlations."""

from __future__ import annotations

import codecs
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from aibr_hunt.cli.catalogue import say_counts, write_catalogue
from aibr_hunt.cli.compile import compile_text
from aibr_hunt.cli.deploy import deploy_pack
from aibr_hunt.cli.explain import explain_rule
from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.migrate import migrate_tags
from aibr_hunt.cli.noise import measure_noise
from aibr_hunt.cli.output import Exit, complain, counted, say, say_json, say_table
from aibr_hunt.cli.parts import all_option, json_option, library_of, reason_of, tell_refused, tell_warnings
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.corpus import Corpus
from aibr_hunt.errors import AibrError, UsageError
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.event import Json
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.text import for_terminal

DEFAULT_RULES: Final = ("shipped:",)


@click.group("rules", cls=NearestGroup)
def command() -> None:
    """List, show, check, test, start, match, compile, explain and migrate rules."""


command.add_command(compile_text)
command.add_command(explain_rule)
command.add_command(deploy_pack)
command.add_command(migrate_tags)
command.add_command(measure_noise)
command.add_command(write_catalogue)


@command.command("list", epilog="Example: aibr-hunt rules list shipped:aws --json")
@click.argument("names", nargs=-1)
@click.option("--count", "is_count", is_flag=True, help="Print how many there are, by cloud, kind, level, tactic and service.")
@json_option
@all_option
@click.pass_obj
def list_rules(settings: Settings, names: tuple[str, ...], *, is_count: bool, as_json: bool, show_all: bool) -> int:
    """List the rules and correlations below NAMES (files, folders, shipped:…, names of rules; default: all built-in ones)."""
    library = library_of(settings)
    corpus = library.load_rules(names or DEFAULT_RULES)
    tell_refused(corpus.refused)
    tell_warnings(corpus)
    if is_count:
        say_counts(library, corpus, as_json=as_json)
    elif as_json:
        for thing in corpus.things:
            say_json(_row(thing, corpus))
    else:
        rows = [
            (each.name, each.level, _reads(each), " ".join(technique.id for technique in each.techniques), _title(each, corpus))
            for each in corpus.things
        ]
        say_table(("name", "level", "log source or type", "techniques", "title"), rows, show_all=show_all)
    return int(Exit.USER_MISTAKE if corpus.refused else Exit.NOTHING_FOUND)


def _row(thing: Rule | Correlation, corpus: Corpus) -> dict[str, object]:
    """Return what `rules list --json` says of a rule or correlation."""
    row: dict[str, object] = {name: getattr(thing, name) for name in ("id", "name", "title", "level", "status", "path")}
    if isinstance(thing, Rule):
        row["logsource"] = str(thing.logsource)
    else:
        row |= {"correlation": thing.type.value, "rules": [each.name for each in thing.operands]}
    return row | {"tags": list(thing.tags), "requires": list(thing.requires), "is_operand": thing.id in corpus.silent}


def _reads(thing: Rule | Correlation) -> str:
    return str(thing.logsource) if isinstance(thing, Rule) else thing.type.value


def _title(thing: Rule | Correlation, corpus: Corpus) -> str:
    return f"{thing.title} (serves correlations)" if thing.id in corpus.silent else thing.title


@command.command("show", epilog="Example: aibr-hunt rules show shipped:aws/bedrock/aws_bedrock_guardrail_deleted")
@click.argument("name")
@json_option
@click.pass_obj
def show_rule(settings: Settings, name: str, *, as_json: bool) -> int:
    """Show one rule or correlation: what it means, where its fields lie, what it needs, what its sieve looks for."""
    from aibr_hunt.cli.shown import correlation_lines, correlation_row, rule_lines, rule_row

    library = library_of(settings)
    corpus = library.load_rules([name])
    tell_refused(corpus.refused)
    tell_warnings(corpus)
    for rule in corpus.rules:
        mapping = library.mapping_for(rule.logsource)
        if as_json:
            say_json(rule_row(rule, mapping))
            continue
        for line in rule_lines(rule, mapping):
            say(line)
    for correlation in corpus.correlations:
        if correlation.id in corpus.silent:
            continue
        if as_json:
            say_json(correlation_row(correlation))
            continue
        for line in correlation_lines(correlation):
            say(line)
    return int(Exit.USER_MISTAKE if corpus.refused else Exit.NOTHING_FOUND)


@command.command("test", epilog="Example: aibr-hunt rules test rules/aws/bedrock")
@click.argument("names", nargs=-1)
@json_option
@click.pass_obj
def test_rules(settings: Settings, names: tuple[str, ...], *, as_json: bool) -> int:
    """Run every case of the rules and correlations below NAMES through matcher, sieve and correlator, in several spellings and orders."""
    from aibr_hunt.testing import Bench

    started = time.perf_counter()
    results = list(Bench(library_of(settings)).run(names or DEFAULT_RULES, processes=settings.processes))
    failures = 0
    for result in results:
        failures += len(result.failures)
        if as_json:
            say_json(
                {
                    "rule": result.rule,
                    "path": result.path,
                    "cases": result.cases,
                    "failures": [f"{each.case}: {each.what}" for each in result.failures],
                }
            )
            continue
        for failure in result.failures:
            for line in failure.what.splitlines():
                say(f"FAIL {result.rule}{' ' if failure.case else ''}{failure.case}: {reason_of(result.rule, line)}")
    if not as_json:
        cases = sum(result.cases for result in results)
        failed = f"{failures:,} failed, {time.perf_counter() - started:.1f} s"
        say(f"{counted(len(results), 'rule')}, {counted(cases, 'case')}, {failed}")
    return int(Exit.FINDINGS if failures else Exit.NOTHING_FOUND)


@command.command("check", epilog="Example: aibr-hunt rules check rules/ --scores")
@click.argument("names", nargs=-1)
@click.option("--scores", is_flag=True, help="Print the mutation score of every rule.")
@json_option
@click.pass_obj
def check_rules(settings: Settings, names: tuple[str, ...], *, scores: bool, as_json: bool) -> int:
    """Check rules and correlations, their tags, fields, cases and sieve, and how many small changes to them their cases notice."""
    from aibr_hunt.testing import Bench

    errors = advice = rules = 0
    killed = total = 0
    for name, findings, score in Bench(library_of(settings)).check(names or DEFAULT_RULES, processes=settings.processes):
        rules += 1
        errors += sum(finding.is_error for finding in findings)
        advice += sum(not finding.is_error for finding in findings)
        killed, total = killed + (score.killed if score else 0), total + (score.total if score else 0)
        if as_json:
            shown = [{"check": each.check, "what": each.what, "error": each.is_error} for each in findings]
            say_json({"rule": name, "findings": shown, "mutation_score": None if score is None else round(score.value, 4)})
            continue
        for finding in findings:
            for line in finding.what.splitlines():
                say(f"{'ERROR' if finding.is_error else 'advice'} {name} [{finding.check}] {reason_of(name, line)}")
        if scores and score is not None:
            say(f"score {score.value:.3f} ({score.killed} of {score.total}) {name}")
    if not as_json:
        found = f"{counted(errors, 'error')}, {counted(advice, 'piece')} of advice"
        say(f"{counted(rules, 'rule')}, {found}; mutants noticed: {killed:,} of {total:,}")
    return int(Exit.FINDINGS if errors else Exit.NOTHING_FOUND)


@command.command("match", epilog="Example: aibr-hunt rules match rule.yml events.jsonl")
@click.argument("rules")
@click.argument("events", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def match_rules(settings: Settings, rules: str, events: Path) -> int:
    """Match RULES against the JSON lines of EVENTS, fields taken as written, whatever the rules' log sources.

    For one rule file: `line<TAB>true|false` for each event. For a folder: `rule id<TAB>line` for each match. A rule or a
    line that is refused is named on standard error, and the exit code is 2.
    """
    from aibr_hunt.meaning.match import compile_rules

    library = library_of(settings)
    corpus = library.load_rules([rules])
    usable, refused = _usable(corpus.rules)
    refused = (*corpus.refused, *refused)
    tell_refused(refused)
    tell_warnings(corpus)
    ruleset = compile_rules(usable, None)
    is_one = library.resolve(rules).is_file() and len(corpus.rules) + len(corpus.refused) == 1
    ids = [for_terminal(rule.id) for rule in usable]
    is_whole = not refused
    write = sys.stdout.write
    for number, value in _events(events):
        if isinstance(value, UsageError):
            is_whole = False
            complain(str(value), level="warning")
            continue
        matched = ruleset.match(value)
        if is_one and usable:
            write(f"{number}\t{'true' if matched else 'false'}\n")
        elif not is_one:
            for index in matched:
                write(f"{ids[index]}\t{number}\n")
    return int(Exit.NOTHING_FOUND if is_whole else Exit.USER_MISTAKE)


def _usable(rules: Sequence[Rule]) -> tuple[list[Rule], tuple[tuple[str, AibrError], ...]]:
    """Return the rules that can be compiled on fields as written, and id and error of the others."""
    from aibr_hunt.meaning.match import compile_rules

    usable: list[Rule] = []
    refused: list[tuple[str, AibrError]] = []
    for rule in rules:
        try:
            compile_rules([rule], None)
        except AibrError as error:
            refused.append((rule.id, error))
        else:
            usable.append(rule)
    return usable, tuple(refused)


def _events(path: Path) -> Iterator[tuple[int, Json | UsageError]]:
    """Yield the number and value of every line that is not blank; a refused line gives its error instead."""
    from aibr_hunt.intake.parse import RecordRefused, parse_record

    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).strip(b" \t\r\n")
            if not text:
                continue
            try:
                yield number, parse_record(text).value
            except RecordRefused as refusal:
                yield number, UsageError(f"{path}:{number}: {refusal}")


@command.command("new", epilog="Example: aibr-hunt rules new rules/aws/s3/aws_s3_dataset_deleted.yml --logsource aws/cloudtrail")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--logsource", "logsource", default="aws/cloudtrail", show_default=True, help="product/service of the logs that the rule reads."
)
@click.option("--title", default="", help="What the rule finds, in a few words.")
@click.option("--correlation", "kind", default="", help="Start a correlation of this type, such as event_count, with a rule to count.")
def new_rule(path: Path, logsource: str, title: str, kind: str) -> int:
    """Start a rule, or a correlation with its rule, and its file of cases at PATH."""
    from aibr_hunt.cli.skeletons import cases_skeleton, correlation_cases_skeleton, correlation_skeleton, rule_skeleton

    path = path if path.suffix else path.with_name(f"{path.name}.yml")
    if path.suffix not in {".yml", ".yaml"} or path.name.endswith((".tests.yml", ".tests.yaml")):
        raise UsageError(f"{path} is no name of a rule file.", hint="Name it like rules/aws/s3/aws_s3_dataset_deleted.yml.")
    tests = path.with_name(f"{path.stem}.tests.yaml")
    for file in (path, tests):
        if file.exists():
            raise UsageError(f"{file} exists already.", hint="Choose another name, or edit it.")
    today = datetime.now(tz=UTC).date()
    if kind:
        idents = (uuid.uuid4(), uuid.uuid4())
        text = correlation_skeleton(path.stem, title, logsource, kind=kind, idents=idents, today=today)
        cases = correlation_cases_skeleton(path.stem, logsource, kind)
    else:
        text, cases = rule_skeleton(path.stem, title, logsource, uuid.uuid4(), today), cases_skeleton(path.stem, logsource)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    tests.write_text(cases, encoding="utf-8")
    say(f"Wrote {path} and {tests}.")
    say(f"Next: edit both, then `aibr-hunt rules test {path}` and `aibr-hunt rules check {path}`.")
    return int(Exit.NOTHING_FOUND)
