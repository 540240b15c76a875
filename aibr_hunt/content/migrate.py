"""Retired ids in the tags of rules, correlations and hunts: what takes their place, and the file with nothing else changed.

Only the characters of a tag are replaced, so that comments, order and layout stay as they are. Where the catalogue names
one successor, it is written; where it names several, or none, the tag stays and is told of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.yaml import load_documents
from aibr_hunt.model.technique import Tactic, Technique

# The lists of a rule, a correlation and a hunt that hold tags. Other lists may hold anything, the words of a detection among it.
_LISTS: Final = ("tags", "techniques")
_PREFIXES: Final = ("attack.", "atlas.")
_UNTOUCHED: Final = "its line holds more than the tag, such as an anchor or the comment of a tag that is there already"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChange:
    """One tag that has one answer.

    Attributes:
        line: Line in the file, from 1.
        new: What takes its place; empty when the list holds the successor already and the tag goes.
    """

    line: int
    old: str
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTag:
    """One tag that a person has to decide about.

    Attributes:
        candidates: What may take its place; empty when the catalogue names nothing.
    """

    line: int
    tag: str
    why: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """One file's text before and after, with what was done and what was left."""

    before: str
    after: str
    changes: tuple[TagChange, ...]
    open_tags: tuple[OpenTag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """One tag as it stands in the text."""

    text: str
    start: int
    end: int
    line: int
    is_block: bool

    @property
    def tag(self) -> str:
        return self.text.lower()


def migrate_text(text: str, path: str, catalogue: Catalogue) -> Migrated:
    """Return the text with every retired tag replaced that has exactly one answer.

    Args:
        text: A file's text; it may hold several documents.
        path: What to call it in errors.
        catalogue: The catalogues in force.

    Raises:
        ContentErrors: The text is no YAML.
    """
    load_documents(text, path, catch_traps=False)  # refuses what is no YAML, or too deep, by name
    changes: list[TagChange] = []
    open_tags: list[OpenTag] = []
    edits: dict[int, tuple[int, int, str]] = {}
    for written, beside in _lists(text):
        for each, answer in _answers(written, beside, catalogue):
            if isinstance(answer, OpenTag):
                open_tags.append(answer)
                continue
            if each.start in edits:
                continue  # an alias: the list stands in the text once
            edit = _edit(text, each, new=answer, edits=edits)
            if edit is None:
                open_tags.append(OpenTag(line=each.line, tag=each.text, why=_UNTOUCHED, candidates=answer))
                continue
            edits[each.start] = edit
            changes.append(TagChange(line=each.line, old=each.text, new=answer))
    after = text
    for start, end, new in sorted(edits.values(), reverse=True):
        after = after[:start] + new + after[end:]
    return Migrated(before=text, after=after, changes=tuple(changes), open_tags=tuple(open_tags))


def _lists(text: str) -> Iterator[tuple[list[_Written], set[str]]]:
    """Yield every list at the top of a document that holds tags, with the tags of the document's other such lists."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in yaml.compose_all(text, Loader=yaml.CSafeLoader):
        found: list[list[_Written]] = []
        for key, value in node.value if isinstance(node, MappingNode) else ():
            if isinstance(key, ScalarNode) and key.value in _LISTS and isinstance(value, SequenceNode):
                items = [_written(item, starts, is_block=not value.flow_style) for item in value.value if isinstance(item, ScalarNode)]
                found.append([item for item in items if item.tag.startswith(_PREFIXES)])
        for each in found:
            yield each, {item.tag for other in found if other is not each for item in other}


def _written(node: Node, starts: Sequence[int], *, is_block: bool) -> _Written:
    start, end = node.start_mark, node.end_mark
    at = starts[start.line] + start.column
    return _Written(text=str(node.value), start=at, end=starts[end.line] + end.column, line=start.line + 1, is_block=is_block)


def _answers(written: Sequence[_Written], beside: set[str], catalogue: Catalogue) -> Iterator[tuple[_Written, tuple[str, ...] | OpenTag]]:
    """Yield every tag that cannot stay, with what takes its place: techniques first, for they decide about tactics."""
    tags = [each.tag for each in written]
    settled: dict[str, tuple[str, ...]] = {}
    for each in written:
        gone = catalogue.retired.get(each.tag)
        if gone is None or each.tag in settled or not _is_technique(each.tag):
            continue
        if len(gone.successors) != 1:
            yield each, _undecided(each, gone.successors)
            continue
        settled[each.tag] = gone.successors
    now = {new for tag in tags for new in settled.get(tag, (tag,))} | _current(beside, catalogue)
    for each in written:
        if not _is_technique(each.tag):
            answer = _tactic_answer(each, now, catalogue)
            if isinstance(answer, tuple):
                settled[each.tag] = answer
            elif answer is not None:
                yield each, answer
    held = {tag for tag in tags if tag not in settled}
    for each in written:
        if each.tag in settled:
            new = tuple(tag for tag in settled[each.tag] if tag not in held)
            held |= set(new)
            yield each, new


def _current(tags: set[str], catalogue: Catalogue) -> set[str]:
    """Return the techniques of other lists as they are called now; tactics are judged in the list that holds them."""
    gone = {tag: catalogue.retired[tag].successors for tag in tags if tag in catalogue.retired}
    return {new for tag in tags if _is_technique(tag) for new in gone.get(tag, (tag,))}


def _is_technique(tag: str) -> bool:
    framework, _, rest = tag.partition(".")
    return rest.removeprefix("aml.")[:2].startswith("t") and rest.removeprefix("aml.")[1:2].isdigit() and framework in {"attack", "atlas"}


def _undecided(each: _Written, successors: tuple[str, ...]) -> OpenTag:
    why = "the catalogue names several successors" if successors else "it is retired, and nothing took its place"
    return OpenTag(line=each.line, tag=each.text, why=why, candidates=successors)


def _tactic_answer(each: _Written, tags: set[str], catalogue: Catalogue) -> tuple[str, ...] | OpenTag | None:
    """Return what takes the place of a tactic; None when it may stay."""
    if catalogue.tactic(each.tag) is not None:
        return None
    spelled = each.tag.replace("_", "-")  # as tags were written before version 2 of the Sigma specification
    if spelled != each.tag and catalogue.tactic(spelled) is not None:
        return (spelled,)
    gone = catalogue.retired.get(spelled)
    if gone is None:
        return None
    if len(gone.successors) == 1:
        return gone.successors
    needed = _needed(gone.successors, tags - {each.tag}, catalogue)
    return needed or _undecided(each, gone.successors)


def _needed(successors: Sequence[str], tags: set[str], catalogue: Catalogue) -> tuple[str, ...]:
    """Return the successors that the techniques of the tags leave no choice about; empty when they leave one.

    A technique that serves another tactic of the tags needs none of them. One that serves exactly one successor needs that one.
    """
    candidates = {tactic.id: tag for tag in successors if (tactic := catalogue.tactic(tag)) is not None}
    framework = successors[0].partition(".")[0] if successors else ""
    techniques = [found for found in catalogue.techniques_of(sorted(tags)) if found.framework == framework]
    written = {tactic.id for tactic in map(catalogue.tactic, tags) if isinstance(tactic, Tactic)} - candidates.keys()
    unserved = [technique for technique in techniques if written.isdisjoint(technique.tactics)]
    choices = [_served(technique, candidates) for technique in unserved]
    choices = [choice for choice in choices if choice]
    if not choices:
        served = {tag for technique in techniques for tag in _served(technique, candidates)}
        return tuple(served) if len(served) == 1 else ()
    if any(len(choice) > 1 for choice in choices):
        return ()
    return tuple(tag for tag in successors if {tag} in choices)


def _served(technique: Technique, candidates: dict[str, str]) -> set[str]:
    return {tag for id_, tag in candidates.items() if id_ in technique.tactics}


def _edit(text: str, each: _Written, *, new: tuple[str, ...], edits: Mapping[int, tuple[int, int, str]]) -> tuple[int, int, str] | None:
    """Return what to put where; None when more than the tag would have to change."""
    if text[each.start : each.end].strip("'\"") != each.text:
        return None
    quote = text[each.start] if text[each.start] in "'\"" else ""
    if new:
        joint = f"\n{_indent(text, each.start)}" if each.is_block else ", "
        return each.start, each.end, joint.join(f"{quote}{tag}{quote}" for tag in new)
    if not each.is_block:
        return _flow_removal(text, each, edits)
    start = text.rfind("\n", 0, each.start) + 1
    end = text.find("\n", each.end) + 1 or len(text)
    rest = text[each.end : end].strip()
    return (start, end, "") if not rest and text[start : each.start].strip() == "-" else None


def _indent(text: str, at: int) -> str:
    """Return what stands before an item of a block list, its dash included."""
    return text[text.rfind("\n", 0, at) + 1 : at]


def _flow_removal(text: str, each: _Written, edits: Mapping[int, tuple[int, int, str]]) -> tuple[int, int, str] | None:
    """Return the span of an item of a flow list with the comma that goes with it; None when something else stands between them.

    That is the comma before it. Items at the head of the list, which have none or whose comma has gone, take the one behind them.
    """
    before = len(text[: each.start].rstrip())
    is_first = text[before - 1] == "[" or any(end == each.start and not new for _, end, new in edits.values())
    if not is_first:
        return (before - 1, each.end, "") if text[before - 1] == "," else None
    behind = _after_space(text, each.end)
    return (each.start, _after_space(text, behind + 1), "") if text[behind : behind + 1] == "," else None


def _after_space(text: str, at: int) -> int:
    return len(text) - len(text[at:].lstrip())
