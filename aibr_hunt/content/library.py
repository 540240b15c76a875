"""All content that a command works with: the shipped folders, a user's own on top, and what they hold."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from aibr_hunt.content.cache import RuleCache
from aibr_hunt.content.corpus import Corpus
from aibr_hunt.content.drafts import Draft
from aibr_hunt.content.references import Resolved, Thing, ident_of, keys_of, resolve_references, silent_ids
from aibr_hunt.content.shipped import PREFIX, shipped_root
from aibr_hunt.errors import AibrError, ContentError, ContentErrors, UsageError
from aibr_hunt.model import mapping as mapping_model
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.rule import LogSource, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aibr_hunt.content.catalogue import Catalogue
    from aibr_hunt.content.sigma import Filter

__all__ = ["RULE_SUFFIXES", "TESTS_SUFFIXES", "Corpus", "Library", "rule_files"]

RULE_SUFFIXES = (".yml", ".yaml")
TESTS_SUFFIXES = (".tests.yaml", ".tests.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What one file holds."""

    rules: tuple[Rule, ...]
    drafts: tuple[Draft, ...]
    filters: tuple[Filter, ...] = ()
    faults: tuple[AibrError, ...] = ()

    @property
    def things(self) -> tuple[Thing, ...]:
        return (*self.rules, *self.drafts)


class Library:
    """The content folders in force.

    Args:
        overlays: A user's own folders, each with any of `rules/`, `hunts/`, `mappings/`; later ones win.
        cache: Keeps parsed rules between runs; None parses every time.
    """

    def __init__(self, overlays: Sequence[Path] = (), *, cache: RuleCache | None = None) -> None:
        """Remember the folders; nothing is read yet."""
        self.roots = (shipped_root(), *overlays)
        self.cache = cache

    def folders(self, *parts: str) -> tuple[Path, ...]:
        """Return the existing folders of one kind, the shipped one first."""
        return tuple(folder for root in self.roots if (folder := root.joinpath(*parts)).is_dir())

    @cached_property
    def mappings(self) -> tuple[mapping_model.Mapping, ...]:
        """The log source mappings."""
        from aibr_hunt.content.mappings import load_mappings

        passed = None if self.cache is None else self.cache.passed
        found = load_mappings(self.folders("mappings", "logsources"), passed=passed)
        if passed is not None:
            passed.flush()
        return found

    @cached_property
    def catalogue(self) -> Catalogue:
        """ATT&CK and ATLAS; the last folder that holds them wins."""
        from aibr_hunt.content.catalogue import load_catalogue

        return load_catalogue([folder for folder in self.folders("mappings") if (folder / "attack.json").is_file()][-1])

    @cached_property
    def placeholders(self) -> dict[str, tuple[str, ...]]:
        """Values of each `%name%`: `mappings/values/<name>.yml`, a later folder's file replaces an earlier one's."""
        from aibr_hunt.content.placeholders import load_placeholders

        return load_placeholders(self.folders("mappings", "values"))

    def mapping_for(self, logsource: LogSource) -> mapping_model.Mapping | None:
        """Return the mapping of a log source, None when fields are to be taken as written."""
        from aibr_hunt.content.mappings import mapping_for

        return mapping_for(logsource, self.mappings)

    def resolve(self, name: str, kind: str = "rules") -> Path:
        """Return the file or folder that a name on the command line means.

        A path that exists is used as it is; `shipped:x` names the built-in set (a file's suffix may be left out). A rule's bare name or
        id, as lists print it, means the file that holds the rule.

        Raises:
            UsageError: There is no such thing, or there are several.
        """
        if name.startswith(PREFIX):
            return self._resolve_shipped(name, kind)
        path = Path(name)
        if path.exists():
            return path
        hint = f"Write {PREFIX}{name} for the built-in one." if (self.roots[0] / kind / name).exists() else ""
        if kind == "rules" and not hint and _is_bare(name):
            every = self.load_all()
            found = self._file_named(name, every)
            if found is not None:
                return found
            hint = _nearest(name, [each.name for each in every.things])
        raise UsageError(f"There is no file or folder {name}.", hint=hint or "Check the path.")

    def _resolve_shipped(self, name: str, kind: str) -> Path:
        inner = name.removeprefix(PREFIX).strip("/")
        base = self.roots[0] / kind
        for candidate in (base / inner, *(base / f"{inner}{suffix}" for suffix in RULE_SUFFIXES)):
            if candidate.exists() and candidate.resolve().is_relative_to(base.resolve()):
                return candidate
        hint = ""
        if kind == "rules" and _is_bare(inner):
            shipped = self._read(list(rule_files(base)))
            found = self._file_named(inner, shipped)
            if found is not None:
                return found
            folders = {
                each.relative_to(base).as_posix() for file in shipped.files.values() for each in file.parents if base in each.parents
            }
            names = [each.name for each in shipped.things]
            hint = _nearest(inner, [*sorted(folders), *names], prefix=PREFIX)
        group = "hunt" if kind == "hunts" else kind
        hint = hint or f"`aibr-hunt {group} list` shows what there is."
        raise UsageError(f"There is no built-in {kind.removesuffix('s')} {name}.", hint=hint)

    def _file_named(self, name: str, corpus: Corpus) -> Path | None:
        """Return the file of the rule or correlation that has this name or id; None when none has.

        Raises:
            UsageError: Several files hold one.
        """
        found = list(dict.fromkeys(corpus.files[each.id] for each in corpus.things if name in {each.name, each.id}))
        if len(found) > 1:
            raise UsageError(f"{name} names {len(found)} rules.", hint=f"Write one of {', '.join(map(self.shown, found))}.")
        return found[0] if found else None

    def load_rules(self, names: Sequence[str], *, filters: Sequence[Path] = ()) -> Corpus:
        """Return the rules and correlations below the named files and folders; what cannot be read is listed, the rest is there.

        The rules of a correlation come with it, wherever they lie. A rule that only serves correlations is an operand, unless it was asked
        for by its own name or file.

        Args:
            names: Paths, or `shipped:…` names.
            filters: Files of Sigma filters that apply besides those found among `names`.

        Raises:
            UsageError: A name means nothing.
        """
        roots = {name: self.resolve(name) for name in names}
        paths = [*(path for root in roots.values() for path in rule_files(root)), *filters]
        return self._read(paths, asked={name: root for name, root in roots.items() if root.is_file()})

    def load_all(self) -> Corpus:
        """Return the rules and correlations of every content folder; of several with one id, the last folder's stands."""
        return self._read(self._every_file(), keeps_first=True)

    def _every_file(self) -> list[Path]:
        return [path for folder in reversed(self.folders("rules")) for path in rule_files(folder)]

    def _read(self, paths: Sequence[Path], *, keeps_first: bool = False, asked: Mapping[str, Path] | None = None) -> Corpus:
        things: list[Thing] = []
        filters: list[Filter] = []
        refused: list[tuple[str, AibrError]] = []
        files: dict[str, Path] = {}
        for path in dict.fromkeys(paths):
            shown = self.shown(path)
            try:
                read = self._load_file(path, shown)
            except AibrError as error:
                refused.append((shown, error))
                continue
            for thing in read.things:
                ident = ident_of(thing)
                if ident not in files:
                    files[ident] = path
                    things.append(thing)
                elif not keeps_first:
                    what = f"has the id {ident}, which {self.shown(files[ident])} has too."
                    refused.append((shown, ContentError(what, path=shown, hint="Give every rule its own id.")))
            filters += read.filters
            refused += [(shown, fault) for fault in read.faults]
        found = self._resolved(things, files)
        if self.cache is not None:
            self.cache.flush()
        return self._corpus(things, filters, found=found, files=files, refused=[*refused, *found.faults], asked=asked or {})

    def _resolved(self, things: Sequence[Thing], files: dict[str, Path]) -> Resolved:
        """Return the correlations among the things, resolved; the files of what is fetched for them are added to `files`."""
        drafts = [thing for thing in things if isinstance(thing, Draft)]
        if not drafts:
            return Resolved(correlations=())

        def fetch(name: str, shown: str) -> Sequence[Thing]:
            near = next((path for path in files.values() if self.shown(path) == shown), None)
            fetched = self._fetch(name, near)
            for thing, path in fetched:
                files.setdefault(ident_of(thing), path)
            return [thing for thing, _ in fetched]

        rules = [thing for thing in things if not isinstance(thing, Draft)]
        return resolve_references(rules, drafts, fetch=fetch, names=lambda: self._index)

    def _fetch(self, name: str, near: Path | None) -> list[tuple[Thing, Path]]:
        """Return what a name means in the content folders or, failing that, beside a correlation's own file.

        Raises:
            AibrError: The file of that name is refused.
        """
        for folder in (*reversed(self.folders("rules")), *(() if near is None else (near.parent,))):
            for path in rule_files(folder):
                if path.stem == name:
                    read = self._load_file(path, self.shown(path))
                    found = [(thing, path) for thing in read.things if name in keys_of(thing)]
                    if read.faults and not found:
                        raise read.faults[0]
                    return found
        found = self._index.get(name, [])
        return found if found or near is None else [pair for pair in self._things([near.parent]) if name in keys_of(pair[0])]

    @cached_property
    def _index(self) -> dict[str, list[tuple[Thing, Path]]]:
        """Everything in the content folders by each of its names; read when a correlation names what was not read and is no file's stem."""
        found: dict[str, list[tuple[Thing, Path]]] = {}
        for thing, path in self._things(list(reversed(self.folders("rules")))):
            for key in keys_of(thing):
                found.setdefault(key, []).append((thing, path))
        return found

    def _things(self, folders: Sequence[Path]) -> Iterator[tuple[Thing, Path]]:
        """Yield each rule and correlation of the folders with its file, of several with one id the first."""
        seen: set[str] = set()
        for path in (path for folder in folders for path in rule_files(folder)):
            try:
                read = self._load_file(path, self.shown(path))
            except AibrError:
                continue
            for thing in read.things:
                if ident_of(thing) not in seen:
                    seen.add(ident_of(thing))
                    yield thing, path

    def _corpus(  # noqa: PLR0913 - the parts of one reading
        self,
        things: Sequence[Thing],
        filters: list[Filter],
        *,
        found: Resolved,
        files: Mapping[str, Path],
        refused: Sequence[tuple[str, AibrError]],
        asked: Mapping[str, Path],
    ) -> Corpus:
        rules = [*(thing for thing in things if not isinstance(thing, Draft)), *found.rules]
        silent = silent_ids(found.correlations, _asked_ids(asked, rules, found.correlations, files=files))
        matched = self._filtered(rules, filters)
        return Corpus(
            rules=tuple(rule for rule in matched if rule.id not in silent),
            operands=tuple(rule for rule in matched if rule.id in silent),
            correlations=found.correlations,
            silent=silent,
            refused=tuple(refused),
            files=files,
            warnings=tuple(_idle_filters(rules, filters)),
        )

    def _load_file(self, path: Path, shown: str) -> _Read:
        """Return what a file holds, and why each other document in it is refused."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ContentErrors((ContentError(f"cannot be read: {error}.", path=shown),)) from None
        kept_as = f"{path.name}\n{text}"  # a rule without a name is called after its file
        cached = None if self.cache is None else self._cached(self.cache, kept_as, shown)
        if cached is not None:
            return cached
        from aibr_hunt.content.sigma import read_sigma_text

        read = read_sigma_text(text, shown, placeholders=self.placeholders, catalogue=self.catalogue)
        if self.cache is not None and not read.filters and not read.faults:
            self.cache.keep_rules(kept_as, self.fingerprint, read.rules, read.correlations)
        return _Read(rules=read.rules, drafts=read.correlations, filters=read.filters, faults=read.faults)

    def _cached(self, cache: RuleCache, kept_as: str, shown: str) -> _Read | None:
        rules, drafts = cache.rules(kept_as, self.fingerprint), cache.drafts(kept_as, self.fingerprint)
        if rules is None or drafts is None:
            return None
        return _Read(
            rules=tuple(replace(rule, path=shown) for rule in rules),
            drafts=tuple(replace(draft, correlation=replace(draft.correlation, path=shown)) for draft in drafts),
        )

    def _filtered(self, rules: list[Rule], filters: list[Filter]) -> tuple[Rule, ...]:
        if not filters:
            return tuple(rules)
        from aibr_hunt.content.sigma import apply_filters

        return apply_filters(rules, filters)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything besides a rule's text on which its value depends: placeholders and catalogues."""
        from aibr_hunt.content.cache import digest_of_files

        values = [path for folder in self.folders("mappings", "values") for path in sorted(folder.glob("*.y*ml"))]
        facts = [path for folder in self.folders("mappings") for path in sorted(folder.glob("*.json"))]
        return digest_of_files([*values, *facts])

    def shown(self, path: Path) -> str:
        """Return a path as people are shown it: built-in ones as `shipped:…`."""
        for kind in ("rules", "hunts"):
            base = self.roots[0] / kind
            if path.is_relative_to(base) and not _is_given_by_hand(path):
                return PREFIX + path.relative_to(base).as_posix()
        return path.as_posix()


def rule_files(root: Path) -> Iterator[Path]:
    """Yield the rule files at or below `root`, sorted; test files and hidden ones are left out."""
    if root.is_file():
        yield root
        return
    for path in sorted(root.rglob("*")):
        if path.suffix in RULE_SUFFIXES and not path.name.endswith(TESTS_SUFFIXES) and not path.name.startswith(".") and path.is_file():
            yield path


def _asked_ids(
    asked: Mapping[str, Path], rules: Sequence[Rule], correlations: Sequence[Correlation], *, files: Mapping[str, Path]
) -> set[str]:
    """Return the ids of what was asked for by itself: named, or in a named file. What the correlations of that file use is not."""
    things: list[Rule | Correlation] = [*rules, *correlations]
    found = {each.id for each in things if not asked.keys().isdisjoint({each.id, each.name})}
    for path in asked.values():
        used = {source.id for each in correlations if files[each.id] == path for source in each.sources}
        found |= {each.id for each in things if files[each.id] == path} - used
    return found


def _idle_filters(rules: Sequence[Rule], filters: Sequence[Filter]) -> Iterator[str]:
    """Yield a sentence for each rule that a filter names and that is not among `rules`: a typing error there would go unseen."""
    known = {key for rule in rules for key in (rule.id, rule.name)}
    for each in filters:
        for name in each.rules:
            if name not in known:
                yield f"{each.path}: the filter {each.label} names the rule {name}, which was not read; it changes nothing there."


def _is_bare(name: str) -> bool:
    """True for what can be a rule's name or id: no path and no file name."""
    return bool(name) and "/" not in name and "\\" not in name and not name.endswith(RULE_SUFFIXES)


def _nearest(name: str, known: Sequence[str], *, prefix: str = "") -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.66)
    return f"Did you mean {prefix}{near[0]}?" if near else ""


def _is_given_by_hand(path: Path) -> bool:
    return not path.is_absolute()
