"""One run from a corpus to a ledger's leads, over files, the lake or clouds: what tests compare with each other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from aibr_hunt.content.corpus import Corpus
from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.program import Options
from aibr_hunt.hunt.clouds import Clouds
from aibr_hunt.hunt.run import Outcome, Request, run_files
from aibr_hunt.ledger import Ledger
from aibr_hunt.model.lead import Lead
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.unit.ledger_samples import Clock


def request_of(
    corpus: Corpus,
    window: Window,
    now: datetime,
    *,
    clouds: Clouds | None = None,
    paths: Sequence[Path] = (),
    lake: Lake | None = None,
) -> Request:
    """Return a run of all rules and correlations of a corpus, that is asked at `now`."""
    return Request(
        rules=corpus.rules,
        operands=corpus.operands,
        correlations=corpus.correlations,
        silent=corpus.silent,
        mapping_of={rule.id: LIBRARY.mapping_for(rule.logsource) for rule in corpus.matched},
        mappings=LIBRARY.mappings,
        paths=paths,
        clouds=clouds,
        lake=lake,
        scope=Scope(now=now, window=window),
        options=Options(),
        asked="a test",
    )


def run(home: Path, asked: Request) -> tuple[Outcome, list[Lead]]:
    """Return what a run came to and the ledger's leads; the ledger is whole, and holds the run's jobs."""
    clock = Clock(asked.scope.now)
    with Ledger.open(home, clock=clock, tell=lambda _: None) as ledger:
        outcome = run_files(asked, ledger, clock=clock, tell=lambda _: None)
        assert ledger.verify().is_clean
        assert ledger.jobs(outcome.record.run.id) == outcome.record.jobs
        return outcome, ledger.leads()
