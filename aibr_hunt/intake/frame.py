"""Where each record of a buffer of JSON text begins and ends, whatever envelope or layout it comes in.

A framer is fed buffers and remembers the context between them: between values, in a list, in the record list of an
envelope, or among the other members of an envelope. The records themselves are found by `structure` alone; text is
only looked at between them. What is no record is refused with its range, and reading goes on at the next place that
provably starts a record:

* text that is no JSON ends at the next line that starts with `{` or `[`;
* a record that is proven broken (a raw line feed in a string; a line that opens with `{` where no value can stand; a
  syntax error in its first MiB; the end of the content) ends at the next line that starts with `{`, indented no deeper
  than the broken record was. Where there is no such line, the refused range reaches to the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum

import numpy as np

from aibr_hunt.intake.framed import BROKEN, NOT_AN_OBJECT, NOT_JSON_TEXT, TOO_LARGE, TRUNCATED, Framed, Refused
from aibr_hunt.intake.runs import Runs
from aibr_hunt.intake.structure import Level, Positions, State, Structure
from aibr_hunt.intake.walk import NEED_MORE, Entrance, Walk

_BLANK = re.compile(rb"[ \t\r\n,\x1e]*+(?:\xef\xbb\xbf[ \t\r\n,\x1e]*+)*")
_ROUSING = re.compile(rb'["{}\\]')
_ARRAY_HEAD = re.compile(rb'\[\s*+(?:[\[{\]"0-9-]|true|false|null|\Z)')
_VALUE_LINE = re.compile(rb"\n[ \t\r]*+(?=[{\[])")
_LINE_REST = re.compile(rb"[ \t\r]*+(?:[,\n]|\Z)")
_FIRST_WINDOW = 1 << 12
_OPEN_LINE_BYTES = 1 << 12
_WIDEST_INDENT = 1 << 12
_LONGEST_TOKEN = 16
_NO_SPAN: tuple[Positions, Positions] = (np.empty(0, np.int64), np.empty(0, np.int64))
_PROOF_BYTES = 1 << 20


class Mode(Enum):
    """Where a buffer goes on."""

    VALUES = "values"
    LIST = "list"
    RECORDS = "records"
    MEMBERS = "members"
    SKIPPING = "skipping"
    SEEKING = "seeking"


class JsonFramer:
    """Finds the records of JSON text, buffer after buffer.

    Args:
        note: Takes facts for the reader of the account.

    Attributes:
        forms: The layouts that were met, in order.
        members: Names of the members beside the record lists of envelopes: they are framing.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        """Begin between two values."""
        self.forms: dict[str, None] = {}
        self.members: dict[str, None] = {}
        self._note = note
        self._mode = self._outer = self._resumed = Mode.VALUES
        self._closers_left = self._values_seen = 0
        self._has_feed = False
        self._column: int | None = None
        self._reason = NOT_JSON_TEXT
        self._state = State()
        self._is_first_sound = self._was_first_sound = False
        self._begin(b"", is_last=False, most_bytes=0)

    def frame(self, buffer: bytes, *, is_last: bool, most_bytes: int) -> Framed:
        """Return the records of `buffer`, which begins where the last one was consumed.

        Args:
            buffer: The text.
            is_last: True when nothing follows.
            most_bytes: Largest record; what is larger is refused.
        """
        self._begin(buffer, is_last=is_last, most_bytes=most_bytes)
        self._was_first_sound, self._is_first_sound = self._is_first_sound, False
        may_step = True
        if self._mode is Mode.SKIPPING:
            may_step = self._skip()
        elif self._mode is Mode.SEEKING:
            self._mode = self._resumed
            may_step = self._seek(0, 0, self._reason, is_continued=True)
        else:
            self._scan(0, len(buffer))
        while may_step and self._at < len(buffer):
            may_step = self._step()
        if is_last and self._mode in {Mode.LIST, Mode.RECORDS, Mode.MEMBERS}:
            self._note("!the content ends inside a list or an envelope")
        starts, ends = self._spans[0] if self._spans else _NO_SPAN
        if len(self._spans) > 1:
            starts, ends = (np.concatenate(column) for column in zip(*self._spans, strict=True))
        return Framed(starts, ends, tuple(self._refused), self._at)

    def _begin(self, buffer: bytes, *, is_last: bool, most_bytes: int) -> None:
        self._buffer, self._is_last, self._most_bytes = buffer, is_last, most_bytes
        self._at = 0
        self._is_scanned = False
        self._spans: list[tuple[Positions, Positions]] = []
        self._refused: list[Refused] = []

    def _scan(self, at: int, window: int) -> None:
        """Read the structure anew from `at`, which stands outside strings; a broken place costs a small window only."""
        self._at, self._base, self._window, self._is_scanned = at, 0, window, True
        self._structure = Structure(self._buffer, start=at, end=min(len(self._buffer), at + window))
        self._walk = Walk(self._buffer, self._structure, is_last=self._is_last)
        self._runs = Runs(self._buffer, self._structure)

    def _step(self) -> bool:
        """Take what stands next; False when more bytes are needed."""
        at = self._skip_blanks()
        if at >= self._structure.end:
            self._at = at
            if at < len(self._buffer):
                self._scan(at, self._window * 4)
            return at < len(self._buffer)
        if self._mode is Mode.MEMBERS:
            return self._take_member(at)
        sign = self._buffer[at : at + 1]
        if sign == b"{":
            return self._take_objects(at)
        if sign == b"]" and self._mode in {Mode.LIST, Mode.RECORDS}:
            self._mode = Mode.VALUES if self._mode is Mode.LIST else Mode.MEMBERS
            self._at = at + 1
            return True
        return self._take_other(at)

    def _skip_blanks(self) -> int:
        match = _BLANK.match(self._buffer, self._at)
        end = match.end() if match else self._at
        if end > self._at and self._mode is Mode.VALUES:
            blanks = self._buffer[self._at : end]
            self._has_feed = self._has_feed or b"\n" in blanks
            if b"," in blanks:
                self._note("commas between top-level values were read as separators")
        return end

    # Records

    def _take_objects(self, at: int) -> bool:
        level = self._structure.level(self._base)
        first = int(level.starts.searchsorted(at))
        if first >= len(level.starts) or level.starts[first] != at:
            self._scan(at, _FIRST_WINDOW)
            return True
        stop = self._runs.end(self._base, first)
        entrance = None
        if self._mode in {Mode.VALUES, Mode.LIST}:
            stop, entrance = self._envelope_before(level, first, stop)
        if stop > first:
            self._accept(level, first, stop)
            return True
        if entrance is not None:
            return self._enter(entrance)
        if first in self._runs.faults(self._base):
            return self._break(at, BROKEN)
        return self._take_unfinished(at)

    def _envelope_before(self, level: Level, first: int, stop: int) -> tuple[int, Entrance | None]:
        entrance = self._walk.plain_entrance(int(level.starts[first]))
        if entrance is not None:
            return first, entrance
        for index in self._runs.hinted(self._base, first, max(stop, first + 1)):
            found = self._walk.entrance(int(level.starts[index]), self._base)
            if isinstance(found, Entrance):
                return index, found
        return stop, None

    def _accept(self, level: Level, first: int, stop: int) -> None:
        starts, ends = level.starts[first:stop], level.ends[first:stop]
        self._spans.append((starts, ends))
        self._at = int(ends[-1])
        if self._mode is Mode.LIST:
            self.forms["array"] = None
        elif self._mode is Mode.VALUES:
            self._note_values(starts, ends)

    def _note_values(self, starts: Positions, ends: Positions) -> None:
        if self._values_seen < 2:
            self._note_form(starts, ends)
        if (np.frombuffer(self._buffer, np.uint8)[ends[:-1]] == ord(",")).any():
            self._note("commas between top-level values were read as separators")

    def _note_form(self, starts: Positions, ends: Positions) -> None:
        """Tell lines from values that merely follow each other, by the first two values."""
        has_feed_in = self._buffer.find(b"\n", int(starts[0]), int(ends[0])) >= 0
        has_feed_before = not self._values_seen or self._has_feed
        has_feed_behind = len(starts) == 1 or self._buffer.find(b"\n", int(ends[0]), int(starts[1])) >= 0
        self._values_seen += len(starts)
        self._has_feed = False
        if has_feed_in or not has_feed_before or not has_feed_behind:
            self.forms = {"concatenated" if form == "json-lines" else form: None for form in (*self.forms, "concatenated")}
            self._values_seen = 2
        elif "concatenated" not in self.forms:
            self.forms["json-lines"] = None

    def _take_unfinished(self, at: int) -> bool:
        """Wait for the rest of a record, unless what is there proves that none can come."""
        if self._structure.end == len(self._buffer) and len(self._buffer) - at > _PROOF_BYTES:
            is_known = self._was_first_sound and at == self._first_place()
            if not is_known and not _is_prefix(self._buffer[at : at + _PROOF_BYTES]):
                return self._break(at, BROKEN)
            return self._wait(at, is_sound=True)
        return self._wait(at)

    def _first_place(self) -> int:
        match = _BLANK.match(self._buffer)
        return match.end() if match else 0

    def _wait(self, at: int, *, is_sound: bool = False) -> bool:
        """Ask for more bytes where there are any; else what stands at `at` is broken off."""
        if self._structure.end < len(self._buffer):
            self._scan(at, self._window * 4)
            return True
        if self._is_last:
            return self._break(at, TRUNCATED)
        if len(self._buffer) - at >= self._most_bytes:
            return self._give_up(at)
        # The indentation goes with the record: it says where a resumption may begin.
        line = self._buffer.rfind(b"\n", self._at, at) + 1
        self._at = max(self._at, line)
        self._is_first_sound = is_sound
        return False

    def _give_up(self, at: int) -> bool:
        """Pass over what is too large: its end is still found where the structure shows it."""
        if self._buffer[at : at + 1] != b"{" or self._mode is Mode.MEMBERS:
            return self._break(at, TOO_LARGE)
        self._refuse(at, len(self._buffer), TOO_LARGE)
        self._state = self._structure.state
        self._state.depth -= self._base
        self._resumed, self._mode = self._mode, Mode.SKIPPING
        self._at = len(self._buffer)
        return False

    def _skip(self) -> bool:
        """Go on passing over a record that was too large."""
        size = len(self._buffer)
        structure = Structure(self._buffer, start=0, end=size, state=self._state)
        end, breaks = structure.level(0).outer_end, structure.string_newlines
        if len(breaks) and (end is None or end > breaks[0]):
            self._mode, self._column = self._resumed, 0
            return self._seek(0, int(breaks[0]), TOO_LARGE, is_continued=True)
        self._at = size if end is None else end
        self._refuse(0, self._at, TOO_LARGE, is_continued=True)
        if end is None:
            return False
        self._mode = self._resumed
        self._scan(self._at, size)
        return True

    # Envelopes

    def _enter(self, entrance: Entrance) -> bool:
        self._note_members(entrance.others)
        self.forms["records"] = None
        self._outer, self._mode = self._mode, Mode.RECORDS
        self._base += 1
        self._at = entrance.at
        return True

    def _take_member(self, at: int) -> bool:
        """Read one of the members that stand beside a record list, or the end of the envelope."""
        if self._buffer[at : at + 1] == b"}":
            self._mode = self._outer
            self._base -= 1
            self._at = at + 1
            return True
        member = self._walk.member(at)
        if isinstance(member, int):
            return self._wait(at) if member == NEED_MORE else self._break(at, NOT_JSON_TEXT)
        name, value = member
        inside = self._walk.record_list(name, value)
        if inside > 0:
            self._mode, self._at = Mode.RECORDS, inside
            return True
        end = NEED_MORE if inside == NEED_MORE else self._walk.value_end(value, self._base)
        if end < 0:
            return self._wait(at) if end == NEED_MORE else self._break(at, NOT_JSON_TEXT)
        self._note_members((name,))
        self._at = end
        return True

    def _note_members(self, names: tuple[str, ...]) -> None:
        if names:
            self.members.update(dict.fromkeys(names))

    # What is no record

    def _take_other(self, at: int) -> bool:
        sign = self._buffer[at : at + 1]
        if self._mode is Mode.VALUES:
            head = _ARRAY_HEAD.match(self._buffer, at)
            if head is not None:
                if head.end() == len(self._buffer) and not self._is_last and len(self._buffer) - at < self._most_bytes:
                    return self._wait(at)
                self._mode, self._at = Mode.LIST, at + 1
                return True
            if self._closers_left and sign in {b"]", b"}"}:
                self._closers_left -= 1
                self._base -= sign == b"}"
                self._at = at + 1
                return True
        end = self._walk.value_end(at, self._base)
        if end == NEED_MORE and not self._is_last:
            return self._wait(at)
        if end < 0 or (self._mode is Mode.VALUES and not _LINE_REST.match(self._buffer, end)):
            return self._pass_garbage(at)
        self._refuse(at, end, NOT_AN_OBJECT)
        self._at = end
        return True

    def _pass_garbage(self, at: int) -> bool:
        if self._mode is not Mode.VALUES:
            return self._break(at, NOT_JSON_TEXT)
        self._column = None
        return self._seek(at, at, NOT_JSON_TEXT)

    def _break(self, at: int, reason: str) -> bool:
        """Refuse from `at` to the next line that provably begins a record."""
        line = self._buffer.rfind(b"\n", 0, at) + 1
        self._column = 0 if self._buffer[line:at].strip(b" \t") else at - line
        return self._seek(at, at + 1, reason)

    def _seek(self, start: int, after: int, reason: str, *, is_continued: bool = False) -> bool:
        """Refuse from `start` up to a line that begins a record, looked for from `after` on."""
        match = _resumption(self._column).search(self._buffer, after)
        if match is None:
            self._at = len(self._buffer) if self._is_last else self._open_line(after)
            self._refuse(start, self._at, reason, is_continued=is_continued)
            self._resumed, self._reason, self._mode = self._mode, reason, Mode.SEEKING
            return False
        end = match.start() + 1
        self._refuse(start, end, reason, is_continued=is_continued)
        self._resume(is_indented=match.end() > end)
        if not self._is_scanned:
            self._scan(end, len(self._buffer))
        elif _ROUSING.search(self._buffer, start, end):
            self._scan(end, _FIRST_WINDOW)
        self._at = end
        return True

    def _resume(self, *, is_indented: bool) -> None:
        """Decide where reading goes on: in a list only when the record is indented as its elements are."""
        if self._mode is Mode.VALUES or (self._mode in {Mode.LIST, Mode.RECORDS} and is_indented):
            return
        self._closers_left += 2 if self._mode is Mode.RECORDS else 1
        self._closers_left += self._mode is not Mode.LIST and self._outer is Mode.LIST
        self._mode = self._outer = Mode.VALUES

    def _open_line(self, after: int) -> int:
        """Return the place of a last line feed with only blanks behind it, else the end: the next buffer may complete that line."""
        size = len(self._buffer)
        line = self._buffer.rfind(b"\n", after)
        is_open = line >= 0 and size - line <= _OPEN_LINE_BYTES and not self._buffer[line + 1 :].strip(b" \t\r")
        return line if is_open else size

    def _refuse(self, start: int, end: int, reason: str, *, is_continued: bool = False) -> None:
        if end > start:
            self._refused.append(Refused(start, end, reason, is_continued))


def _resumption(column: int | None) -> re.Pattern[bytes]:
    """Return the pattern of a line feed before a record: indented by at most `column` signs, or anyhow."""
    if column is None:
        return _VALUE_LINE
    return re.compile(rb"\n[ \t]{0,%d}(?=\{|\[\s*+\{)" % min(column, _WIDEST_INDENT))


def _is_prefix(text: bytes) -> bool:
    """True when `text` may be the begin of a JSON value: its first error, if any, is that it ends."""
    try:
        # Latin-1 gives each byte one sign, so that positions are those of bytes; signs beyond ASCII stand in strings only.
        json.loads(text.decode("latin-1"), strict=False)
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated string") or error.pos >= len(text) - _LONGEST_TOKEN
    except (RecursionError, ValueError):
        return True
    return True
