"""One model on one set in a process of its own, so that its peak of memory is its own.

`python -m training.bench_child` reads what is asked as JSON from its input and answers on its
output; `training/bench_models.py` starts it.
"""

import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from training.bench_contenders import RANKER, contender
from training.bench_figures import Figure, NoOpinion, Times, measure_all, with_folds
from training.bench_impressions import impressions
from training.bench_sets import trials
from training.bench_streams import has_log
from training.bench_tables import BrokenSet, NothingToAsk

# A kilobyte of Linux is what getrusage counts in.
KB_A_MB = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Which model, with which hyperparameters, on which set.

    Parameters
    ----------
    people
        Served lists are made for so many at most; 0: for everybody.
    has_folds
        Whether a set is asked in folds, too, where its protocol has them.
    """

    folder: str
    model: str
    parameters: dict[str, Any] = field(default_factory=dict)
    seed: int
    people: int = 0
    has_folds: bool = True

    def plain(self) -> bytes:
        """As it travels to the child."""
        return orjson.dumps(asdict(self))

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """As it arrives there."""
        return cls(**orjson.loads(raw))


def answer(ask: Ask) -> dict[str, Any]:
    """Figures and what they cost; or, by one word, why there are none."""
    try:
        figures, times = _measured(ask)
    except BrokenSet as error:
        return {"broken": str(error)}
    except NothingToAsk as error:
        return {"skipped": str(error)}
    except NoOpinion as error:
        return {"left_out": str(error)}
    return {"figures": [_plain(figure, times) for figure in figures]}


def _measured(ask: Ask) -> tuple[list[Figure], Times]:
    folder = Path(ask.folder)
    if ask.model == RANKER:
        return _of_impressions(folder, ask.seed)
    factory = contender(ask.model, ask.parameters, ask.seed)
    asked = trials(folder)
    everything = with_folds(asked, ask.seed) if ask.has_folds else asked
    return measure_all(everything, ask.model, factory, people=ask.people, seed=ask.seed)


def _of_impressions(folder: Path, seed: int) -> tuple[list[Figure], Times]:
    if not has_log(folder):
        raise NoOpinion(f"{RANKER} orders impressions, and {folder.name} has no log of any")
    started, worked = time.perf_counter(), time.process_time()
    figures = impressions(folder, seed=seed)
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - worked
    return figures, Times(fit_s=wall_s, fit_cpu_s=cpu_s, dense_s=0.0, list_ms=0.0)


def _plain(figure: Figure, times: Times) -> dict[str, Any]:
    estimate = figure.estimate
    return {
        "model": figure.model,
        "form": figure.form,
        "metric": figure.metric,
        "value": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "seconds": round(times.fit_s, 3),
        "cpu_s": round(times.fit_cpu_s, 3),
        "list_ms": round(times.list_ms, 3),
    }


def peak_mb() -> int:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KB_A_MB


def main() -> None:
    """Answer the one ask on the standard input."""
    found = answer(Ask.read(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(orjson.dumps({**found, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
