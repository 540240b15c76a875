"""`aibr-hunt mappings`: the catalogues of techniques from a newer release, read from a file that the user has."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import Exit, complain, counted, say, say_json
from aibr_hunt.cli.parts import json_option, library_of
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError

if TYPE_CHECKING:
    from aibr_hunt.content.bundles import Bundle
    from aibr_hunt.content.library import Library
    from aibr_hunt.content.refresh import CatalogueChanges

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_FRAMEWORKS: Final = ("attack", "atlas")


@click.group("mappings", cls=NearestGroup)
def command() -> None:
    """Refresh the catalogues of techniques from a file of yours."""


@command.command("refresh", epilog="Example: aibr-hunt mappings refresh --attack enterprise-attack.json --out ./mine/mappings")
@click.option("--attack", type=_FILE, help="STIX bundle of an ATT&CK release (needs the extra `attack`).")
@click.option("--atlas", type=_FILE, help="YAML or JSON of an ATLAS release.")
@click.option(
    "--out", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write the new files into."
)
@click.option("--version", default="", help="Version of the release, when the file does not say.")
@json_option
@click.pass_obj
def refresh(settings: Settings, *, attack: Path | None, atlas: Path | None, folder: Path, version: str, as_json: bool) -> int:
    """Write attack.json or atlas.json (with case_studies.json) of a newer release, without its descriptions, and say what changed.

    Nothing is downloaded. Lay the folder as `mappings/` into a content folder of yours and name that with --content, or in the
    configuration; then `rules migrate` brings tags up to date. The classification of techniques is not touched: new ones are in none of its
    tiers.
    """
    if (attack is None) == (atlas is None):
        raise UsageError("It is not clear which release to read.", hint="Give --attack FILE or --atlas FILE.")
    library = library_of(settings)
    here = _folder_in_force(library)
    changes, texts = _attack_files(attack, here, version) if attack is not None else _atlas_files(atlas or Path(), library, version)
    _check(texts, here)
    written = _written(texts, here, folder)
    touched = _touched(library, changes)
    if as_json:
        say_json(_row(changes, touched, written))
    else:
        _tell(changes, touched, written)
    return int(Exit.NOTHING_FOUND)


def _folder_in_force(library: Library) -> Path:
    return next(folder for folder in reversed(library.folders("mappings")) if (folder / "attack.json").is_file())


def _document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _source(path: Path, name: str, bundle: Bundle) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name} {bundle.version}: read from {path.name} (SHA-256 {digest})."


def _attack_files(path: Path, here: Path, version: str) -> tuple[CatalogueChanges, dict[str, str]]:
    from aibr_hunt.content.bundles import read_attack_bundle
    from aibr_hunt.content.refresh import changes_between, refreshed, text_of

    bundle = read_attack_bundle(path, version=version)
    old = _document(here / "attack.json")
    new = refreshed(bundle, old, source=_source(path, "ATT&CK", bundle))
    atlas = _document(here / "atlas.json")
    _follow(atlas, new)
    return changes_between(old, new), {"attack.json": text_of(new), "atlas.json": text_of(atlas)}


def _follow(atlas: dict[str, Any], attack: dict[str, Any]) -> None:
    """Let relations of ATLAS that name a technique which ATT&CK has given up name its successor."""
    now = _attack_now(attack)
    for row in atlas["techniques"]:
        if "attack" in row:
            row["attack"] = now.get(row["attack"], "")
            if not row["attack"]:
                del row["attack"]


def _attack_now(attack: dict[str, Any]) -> dict[str, str]:
    """Return every ATT&CK id with the id that stands for it now; those without one successor are absent."""
    active = {row["id"]: row["id"] for row in attack["techniques"]}
    return active | {row["id"]: row["successors"][0] for row in attack["retired"] if len(row.get("successors", [])) == 1}


def _atlas_files(path: Path, library: Library, version: str) -> tuple[CatalogueChanges, dict[str, str]]:
    from aibr_hunt.content.bundles import read_atlas_bundle
    from aibr_hunt.content.facts import read_facts
    from aibr_hunt.content.refresh import changes_between, refreshed, refreshed_studies, text_of

    here = _folder_in_force(library)
    bundle = read_atlas_bundle(path, version=version)
    old = _document(here / "atlas.json")
    source = _source(path, "ATLAS", bundle)
    new = refreshed(bundle, old, source=source, attack_now=_attack_now(_document(here / "attack.json")))
    texts = {"atlas.json": text_of(new)}
    if bundle.studies:
        _, studies = read_facts(library.folders("mappings"), "case_studies")
        texts["case_studies.json"] = text_of(refreshed_studies(bundle, studies, new, source=source))
    return changes_between(old, new), texts


def _check(texts: dict[str, str], here: Path) -> None:
    """Load what would be written, in a folder of its own.

    Raises:
        ContentError: The release contradicts itself, so nothing is written.
    """
    from aibr_hunt.content.case_studies import load_case_studies
    from aibr_hunt.content.catalogue import load_catalogue

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for framework in _FRAMEWORKS:
            shutil.copyfile(here / f"{framework}.json", folder / f"{framework}.json")
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        catalogue = load_catalogue(folder)
        if "case_studies.json" in texts:
            load_case_studies([folder], catalogue)


def _written(texts: dict[str, str], here: Path, folder: Path) -> list[Path]:
    """Write the files, and beside them the other catalogue, without which the folder could not be used.

    Raises:
        UsageError: The folder cannot be written.
    """
    paths: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
            paths.append(folder / file)
        for framework in _FRAMEWORKS:
            other = folder / f"{framework}.json"
            if not other.exists():
                shutil.copyfile(here / f"{framework}.json", other)
                paths.append(other)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}.", hint="Choose another folder.") from None
    return paths


def _touched(library: Library, changes: CatalogueChanges) -> list[tuple[str, list[str]]]:
    """Return the rules whose tags name what changed."""
    corpus = library.load_all()
    for shown, error in corpus.refused:
        complain(f"{shown}: {error}", level="warning")
    found = ((thing.name, sorted(changes.touched_tags & {tag.lower() for tag in thing.tags})) for thing in corpus.things)
    return sorted((name, tags) for name, tags in found if tags)


def _row(changes: CatalogueChanges, touched: Iterable[tuple[str, list[str]]], written: Iterable[Path]) -> dict[str, object]:
    return {
        "framework": changes.framework,
        "before": changes.before,
        "after": changes.after,
        "new": [{"id": id_, "name": name} for id_, name in changes.added],
        "renamed": [{"id": each.id, "before": each.before, "after": each.after} for each in changes.renamed],
        "other_tactics": [{"id": each.id, "before": each.before.split(), "after": each.after.split()} for each in changes.moved],
        "retired": [{"id": each.id, "name": each.name, "successors": list(each.successors)} for each in changes.retired],
        "lost_tactics": list(changes.lost_tactics),
        "touched_rules": [{"rule": name, "tags": tags} for name, tags in touched],
        "written": [str(path) for path in written],
    }


def _tell(changes: CatalogueChanges, touched: list[tuple[str, list[str]]], written: Iterable[Path]) -> None:
    title = "ATT&CK" if changes.framework == "attack" else "ATLAS"
    say(f"{title} {changes.before} to {changes.after}")
    for id_, name in changes.added:
        say(f"new      {id_} {name}")
    for each in changes.renamed:
        say(f"renamed  {each.id} {each.before} -> {each.after}")
    for each in changes.moved:
        say(f"tactics  {each.id} {each.before or 'none'} -> {each.after or 'none'}")
    for gone in changes.retired:
        say(f"retired  {gone.id} {gone.name} -> {' or '.join(gone.successors) or 'nothing: name its successor by hand if there is one'}")
    for tag in changes.lost_tactics:
        say(f"retired  tactic {tag}")
    for name, tags in touched:
        say(f"rule     {name}: {' '.join(tags)}")
    for path in written:
        say(f"Wrote {path}")
    counts = (counted(len(changes.added), "new technique"), f"{len(changes.renamed):,} renamed", f"{len(changes.retired):,} retired")
    say(f"{', '.join(counts)}, {counted(len(touched), 'rule')} touched")
