"""`aibr-hunt rules noise`: how often rules speak where nothing happens."""

from __future__ import annotations

from pathlib import Path

import click

from aibr_hunt.cli.output import Exit, counted, say, say_json, say_table
from aibr_hunt.cli.parts import all_option, json_option, lake_of, library_of, logs_option, now, tell_refused
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError


@click.command("noise", epilog="Example: aibr-hunt rules noise shipped:aws --logs ./quiet-week")
@click.argument("names", nargs=-1)
@logs_option
@click.option("--events", type=click.IntRange(min=1), help="How many records of made-up traffic (default: 60,000).")
@click.option("--seed", type=int, help="Where the choices in made-up traffic come from.")
@click.option("--least", type=click.IntRange(min=1), help="Events that a service needs before anything is said of it (default: 500).")
@all_option
@json_option
@click.pass_obj
def measure_noise(
    settings: Settings,
    names: tuple[str, ...],
    *,
    logs: tuple[Path, ...],
    lake: bool,
    events: int | None,
    seed: int | None,
    least: int | None,
    show_all: bool,
    as_json: bool,
) -> int:
    """Count what the rules and correlations below NAMES say of quiet logs (default: all built-in ones, on made-up everyday traffic).

    A rate is hits, or episodes, for every 100,000 events of the service at which a rule looks: the event source in CloudTrail, the service
    in Google Cloud audit logs, the resource provider in the activity log of Azure, else the log source. --logs and --lake read every
    record of your own logs; choose a time in which nothing happened. An alarm (level high or critical) over 10 sets the exit code.
    """
    from aibr_hunt.testing import benign
    from aibr_hunt.testing.noise import LEAST, MOST, PER, NoiseMeter, measure_files, measure_lake, measure_traffic

    if (logs and lake) or ((logs or lake) and (events is not None or seed is not None)):
        raise UsageError("Several things are named to be read.", hint="Give --logs, or --lake, or neither for made-up traffic.")
    for path in logs:
        if not path.exists():
            raise UsageError(f"There is no log file or folder {path}.", hint="Check the path that --logs names.")
    library = library_of(settings)
    corpus = library.load_rules(names or ("shipped:",))
    tell_refused(corpus.refused)
    meter = NoiseMeter(corpus, library)
    if logs:
        measure_files(meter, logs, library, now=now())
    elif lake:
        measure_lake(meter, lake_of(settings, library), library, now=now())
    else:
        measure_traffic(meter, events=events or benign.EVENTS, seed=benign.SEED if seed is None else seed)
    least = least or LEAST
    rates = meter.rates(least=least)
    noisy = sum(rate.is_noisy for rate in rates)
    if as_json:
        for rate in rates:
            row = {
                name: getattr(rate, name) for name in ("id", "name", "level", "kind", "service", "hits", "events", "is_lead", "is_noisy")
            }
            say_json({**row, "rate": None if rate.rate is None else round(rate.rate, 2)})
    else:
        rows = [
            (rate.name, rate.level, rate.kind, "no data" if rate.rate is None else f"{rate.rate:,.1f}", f"{rate.hits:,}", rate.service)
            for rate in rates
            if show_all or (rate.hits and rate.is_lead)
        ]
        say_table(("rule", "level", "kind", f"per {PER:,}", "hits", "service"), rows, show_all=show_all, right=frozenset((3, 4)))
        unknown = sum(rate.rate is None for rate in rates)
        said = f"{unknown:,} without data (fewer than {least:,} events of their service, or a lookback longer than the logs)"
        say(f"{counted(len(rates), 'rule')}, {said}; {counted(noisy, 'alarm')} over {MOST} per {PER:,}")
    return int(Exit.FINDINGS if noisy else Exit.USER_MISTAKE if corpus.refused else Exit.NOTHING_FOUND)
