"""`aibr-hunt rules explain`: why a rule is true or false on one event."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aibr_hunt.cli.output import Exit, counted, say, say_json
from aibr_hunt.cli.parts import all_option, json_option, library_of, tell_refused, tell_warnings
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError
from aibr_hunt.model.text import shorten

if TYPE_CHECKING:
    from aibr_hunt.meaning.explain import Explained
    from aibr_hunt.model.event import Json
    from aibr_hunt.model.rule import Rule

# Alternatives of one list, values of one leaf, and characters of one value that are shown without --all.
_SHOWN_ITEMS: Final = 12
_SHOWN_VALUES: Final = 4
_SHOWN_CHARACTERS: Final = 160


@click.command("explain", epilog="Example: aibr-hunt rules explain aws_bedrock_guardrail_deleted event.json")
@click.argument("rule")
@click.argument("event")
@click.option("--as-written", is_flag=True, help="Take fields as written, whatever the rule's log source.")
@all_option
@json_option
@click.pass_obj
def explain_rule(settings: Settings, rule: str, event: str, *, as_written: bool, show_all: bool, as_json: bool) -> int:
    """Show why RULE is true or false on EVENT: each test with its answer and the values that it read.

    EVENT is a JSON file, - for standard input, or the JSON itself. The exit code is 1 when the rule matches, 0 when it does not.
    """
    from aibr_hunt.meaning.explain import explain

    library = library_of(settings)
    corpus = library.load_rules([rule])
    tell_refused(corpus.refused)
    tell_warnings(corpus)
    if corpus.refused or len(corpus.rules) != 1:
        if not corpus.refused:
            hint = f"Name one of them, such as {corpus.rules[0].name}." if corpus.rules else ""
            raise UsageError(f"{rule} holds {counted(len(corpus.rules), 'rule')}.", hint=hint)
        return int(Exit.USER_MISTAKE)
    found = corpus.rules[0]
    mapping = None if as_written else library.mapping_for(found.logsource)
    bound = "" if mapping is None else mapping.name
    explained = explain(found.predicate, _event(event), mapping)
    if as_json:
        say_json({"rule": found.name, "id": found.id, "mapping": bound, "matches": explained.holds, "because": _row(explained)})
    else:
        _say(found, bound, explained, show_all=show_all)
    return int(Exit.FINDINGS if explained.holds else Exit.NOTHING_FOUND)


def _event(text: str) -> Json:
    """Return the record that an argument names or is.

    Raises:
        UsageError: It is no JSON object, or there is no such file.
    """
    from aibr_hunt.errors import RecordRefused
    from aibr_hunt.intake.parse import parse_record

    is_literal = text.lstrip().startswith(("{", "["))
    if is_literal:
        shown, content = "EVENT", text.encode(errors="surrogateescape")
    elif text == "-":
        shown, content = "standard input", sys.stdin.buffer.read()
    else:
        shown, content = text, _content_of(text)
    try:
        return parse_record(content.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")).value
    except RecordRefused as refusal:
        raise UsageError(f"{shown}: {refusal}.", hint="An event is one JSON object.") from None


def _content_of(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{name}: {reason or 'cannot be read'}.", hint="EVENT is a JSON file, - or JSON itself.") from None


def _say(rule: Rule, mapping: str, explained: Explained, *, show_all: bool) -> None:
    say(f"{rule.name}: {rule.title}")
    say(f"fields {f'bound on the mapping {mapping}' if mapping else 'as written'}")
    say()
    for line in _lines(explained, 0, show_all=show_all):
        say(line)
    say()
    say("matches" if explained.holds else "does not match")


def _lines(node: Explained, depth: int, *, show_all: bool) -> Iterator[str]:
    note = f" ({node.note})" if node.note else ""
    yield f"{'true ' if node.holds else 'false'}  {'  ' * depth}{node.what}{note}{_values(node, show_all=show_all)}"
    items = node.items
    if not show_all and len(items) > _SHOWN_ITEMS:
        # What made the answer first: the true ones of alternatives, the false ones of what must all hold.
        decisive = [item for item in items if item.holds is node.holds]
        items = tuple((decisive or list(items))[:_SHOWN_ITEMS])
    for item in items:
        yield from _lines(item, depth + 1, show_all=show_all)
    if len(items) < len(node.items):
        left = len(node.items) - len(items)
        yield f"       {'  ' * (depth + 1)}… and {left:,} more, --all for all of them"


def _values(node: Explained, *, show_all: bool) -> str:
    if not node.is_leaf:
        return ""
    if not node.values:
        return "  ← blank" if not node.what.startswith("keyword") else "  ← nowhere"
    values = [_shown(value) for value in (node.values if show_all else node.values[:_SHOWN_VALUES])]
    values = values if show_all else [shorten(value, _SHOWN_CHARACTERS) for value in values]
    more = f", and {len(node.values) - len(values):,} more" if len(values) < len(node.values) else ""
    return f"  ← {', '.join(values)}{more}"


def _shown(value: Json) -> str:
    """Return a value as people read it; `say` writes out what a terminal would act on."""
    from aibr_hunt.meaning.view import compact

    return f'"{value}"' if isinstance(value, str) else compact({"": value})[len('{"":') : -1]


def _plain(value: Json) -> object:
    """Return a value for JSON output; a number or an object stands as the record spells it."""
    return value if isinstance(value, str | bool) else _shown(value)


def _row(node: Explained) -> dict[str, object]:
    row: dict[str, object] = {"what": node.what, "holds": node.holds}
    if node.is_leaf:
        row["values"] = [_plain(value) for value in node.values]
    if node.note:
        row["note"] = node.note
    if node.items:
        row["items"] = [_row(item) for item in node.items]
    return row
