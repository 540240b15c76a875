"""`aibr-hunt rules catalogue` and `rules list --count`: what there is, in tables and in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aibr_hunt.cli.output import Exit, say, say_json, say_table
from aibr_hunt.cli.parts import library_of, tell_refused
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError

if TYPE_CHECKING:
    from aibr_hunt.content.library import Corpus, Library
    from aibr_hunt.model.hunt import Hunt
    from aibr_hunt.report.catalogue import Entry

COMMAND: Final = "aibr-hunt rules catalogue"


@click.command("catalogue", epilog="Example: aibr-hunt rules catalogue --out docs/catalogue.md")
@click.argument("names", nargs=-1)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it there; without it, print it.")
@click.pass_obj
def write_catalogue(settings: Settings, names: tuple[str, ...], *, out: Path | None) -> int:
    """Write every rule and correlation below NAMES, and the hunts, as a page of tables in Markdown (default: all built-in ones)."""
    from aibr_hunt.report.catalogue import catalogue_text

    library = library_of(settings)
    corpus = library.load_rules(names or ("shipped:",))
    tell_refused(corpus.refused)
    entries, hunts = found_in(library, corpus)
    told = [COMMAND, *names] if out is None else [COMMAND, *names, "--out", out.as_posix()]
    text = catalogue_text(entries, hunts, command=" ".join(told))
    if out is None:
        say(text.rstrip("\n"))
    elif not out.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {out.absolute().parent}.", hint="Make it, or name another file with --out.")
    else:
        out.write_text(text, encoding="utf-8", newline="\n")
        say(f"Wrote {out}: {len(entries):,} rules and correlations, {len(hunts):,} hunts.")
    return int(Exit.USER_MISTAKE if corpus.refused else Exit.NOTHING_FOUND)


def found_in(library: Library, corpus: Corpus) -> tuple[tuple[Entry, ...], tuple[Hunt, ...]]:
    """Return the rows of a corpus, and the hunts of all content folders."""
    from aibr_hunt.content.hunts import load_hunts
    from aibr_hunt.report.catalogue import entries_of

    return entries_of(corpus, mapping_for=library.mapping_for), load_hunts(library.folders("hunts"), catalogue=library.catalogue)


def say_counts(library: Library, corpus: Corpus, *, as_json: bool) -> None:
    """Print how many there are, by cloud, kind, level, tactic and service."""
    from aibr_hunt.report.catalogue import counts_of

    counts = counts_of(*found_in(library, corpus))
    if as_json:
        say_json(counts)
        return
    for name, numbers in counts.items():
        say_table((name, "number"), [(what, f"{number:,}") for what, number in numbers.items()], show_all=True, right=frozenset((1,)))
        say()
