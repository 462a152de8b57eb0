"""How well each model ranks on real data in its served form: `python -m benchmarks.models`."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.sparse import csr_array

from recsys.catalog import Catalog, Idxs, Item, Kind
from recsys.interactions import Rows
from recsys.metrics import Estimate, judge, ndcg, recall
from recsys.models.base import Model
from recsys.models.served_loss import sampled, served_recall
from recsys.models.table import MODELS

SETS = Path(__file__).parents[2] / "shared" / "data"
# The pair set's persons are the same in both halves below this id (its ABOUT.md).
SHARED_BELOW = 2_179
OWN_VIDEO_IDS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One question to the models: whom to rank what for, and what they then did.

    Parameters
    ----------
    known
        One row a person to rank for; its items are never ranked.
    targets
        One array a person: the items they turned to.
    is_per_pair
        Whether each pair of person and target counts alike, instead of each person; a pair's rank
        counts the person's other targets before it.
    """

    name: str
    catalog: Catalog
    train: Rows
    known: Rows
    targets: list[Idxs]
    kind: Kind
    k: int
    is_per_pair: bool


def _rows(persons: NDArray[Any], items: NDArray[Any], weights: NDArray[Any], n_items: int) -> Rows:
    """One row for each person number, with summed weights."""
    n_persons = int(persons.max()) + 1
    matrix = csr_array((weights, (persons, items)), shape=(n_persons, n_items))
    matrix.sum_duplicates()
    indices, data = matrix.indices.astype(np.int32), matrix.data.astype(np.float32)
    return Rows(matrix.indptr.astype(np.int64), indices, data, n_items)


def _chosen(rows: Rows, persons: NDArray[Any]) -> Rows:
    return Rows.of([rows[int(person)] for person in persons], rows.n_items)


def _targets(persons: NDArray[Any], items: NDArray[Any]) -> tuple[NDArray[Any], list[Idxs]]:
    order = np.lexsort((items, persons))
    who, starts = np.unique(persons[order], return_index=True)
    return who, np.split(items[order].astype(np.int32), starts[1:])


# The sets carry no cards, and the pair set no tags.
WITHOUT = {"kuairand": {"cards"}, "xd_amazon": {"cards", "tags"}}
# Where a set wants other hyperparameters than the defaults.
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "kuairand": {
        "item_knn": {"n_neighbours": 300, "person_damping": 0.0},
        "als": {"factors": 128},
    },
    "xd_amazon": {
        "item_knn": {"source_damping": 0.8, "target_damping": 0.2},
        "als": {"factors": 128, "regularization": 0.15},
    },
}
# What one mention in each list of a history counts.
KUAIRAND_WEIGHTS = {"watch_seq": 1.0, "long_watch_seq": 1.0, "like_seq": 1.0}


def kuairand(weights: dict[str, float]) -> Iterator[Trial]:
    """Histories up to 24 April → long views of 25 to 30 April of videos not watched before."""
    folder = SETS / "sv_kuairand_pure"
    videos = pl.read_parquet(folder / "videos.parquet").sort("video_id")
    history = pl.read_parquet(folder / "user_history_until_0424.parquet")
    parts = [
        history.select("user_id", video_id=name, weight=pl.lit(float(weight)))
        for name, weight in weights.items()
    ]
    seen = pl.concat(parts).explode("video_id").drop_nulls()
    log = pl.read_parquet(folder / "log_valid_0425_0430.parquet")
    later = log.filter(pl.col("long_view") == 1).select("user_id", "video_id").unique()
    later = later.cast(pl.Int64).join(
        seen.cast({"video_id": pl.Int64}), on=["user_id", "video_id"], how="anti"
    )
    later = later.join(seen, on="user_id", how="semi")
    persons, items, weight = (column.to_numpy() for column in seen.iter_columns())
    train = _rows(persons, items, weight, len(videos))
    who, targets = _targets(later["user_id"].to_numpy(), later["video_id"].to_numpy())
    yield Trial(
        name="kuairand, history to long views",
        catalog=Catalog.of([_video(*row) for row in videos.select("video_id", "tag").iter_rows()]),
        train=train,
        known=_chosen(train, who),
        targets=targets,
        kind=Kind.VIDEO,
        k=20,
        is_per_pair=False,
    )


def _video(video_id: int, tags: str | None) -> Item:
    named = tuple(tag for tag in (tags or "").split(",") if tag)
    return Item(item_id=f"video-{video_id}", kind=Kind.VIDEO, tags=named)


def xd_amazon(split: str) -> Iterator[Trial]:
    """Who has only videos, all games ranked; then who has only games, all videos ranked."""
    games, videos = _pairs("game_video_train"), _pairs("video_game_train")
    n_games, n_videos = games[:, 1].max() + 1, videos[:, 1].max() + 1
    catalog = Catalog.of(
        [Item(item_id=f"game-{i}", kind=Kind.PRODUCT) for i in range(n_games)]
        + [Item(item_id=f"video-{i}", kind=Kind.VIDEO) for i in range(n_videos)]
    )
    videos[:, 0] += np.where(videos[:, 0] < SHARED_BELOW, 0, OWN_VIDEO_IDS)
    videos[:, 1] += n_games
    both = np.concatenate([games, videos])
    train = _rows(both[:, 0], both[:, 1], np.ones(len(both)), len(catalog))
    for kind, name, first in (
        (Kind.PRODUCT, "game_video", 0),
        (Kind.VIDEO, "video_game", n_games),
    ):
        later = _pairs(f"{name}_{split}")
        who, targets = _targets(later[:, 0], later[:, 1] + first)
        yield Trial(
            name=f"{name}_{split}, all {kind.word}s",
            catalog=catalog,
            train=train,
            known=_chosen(train, who),
            targets=targets,
            kind=kind,
            k=10,
            is_per_pair=True,
        )


def _pairs(name: str) -> NDArray[np.int64]:
    return pl.read_parquet(SETS / "xd_amazon_game_video" / f"{name}.parquet").to_numpy().copy()


def ranked(trial: Trial, model: Model) -> list[Idxs]:
    """Each person's list, as a request would get it: the person's own items are left out."""
    lists = []
    for person in range(len(trial.known)):
        row = trial.known[person]
        items = model.candidates(row, trial.k + len(row), trial.kind).items
        lists.append(items[~np.isin(items, row.items)][: trial.k])
    return lists


def estimates(trial: Trial, lists: list[Idxs]) -> dict[str, Estimate]:
    """The trial's metrics at its k."""
    if not trial.is_per_pair:
        judged = [judge(one, t) for one, t in zip(lists, trial.targets, strict=True)]
        return {
            f"{metric.__name__}@{trial.k}": Estimate.of([metric(one, trial.k) for one in judged])
            for metric in (recall, ndcg)
        }
    hits = [np.isin(one, t) for one, t in zip(lists, trial.targets, strict=True)]
    n_pairs = np.array([len(t) for t in trial.targets])
    gains = [hit @ (1 / np.log2(np.arange(2, len(hit) + 2))) for hit in hits]
    return {
        f"HR@{trial.k}": _per_pair(np.array([hit.sum() for hit in hits]), n_pairs),
        f"NDCG@{trial.k}": _per_pair(np.array(gains), n_pairs),
    }


def _per_pair(totals: NDArray[Any], n_pairs: NDArray[Any]) -> Estimate:
    """A mean over pairs; its interval is over persons, whose pairs are not independent."""
    share = totals.sum() / n_pairs.sum()
    without = (totals.sum() - totals) / (n_pairs.sum() - n_pairs)
    return Estimate.of_share(float(share), share - without)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one model showed in one trial."""

    trial: str
    model: str
    n_persons: int
    n_pairs: int
    estimates: dict[str, Estimate]
    served_recall: float
    fit_s: float
    candidates_us: float


def measure(trial: Trial, name: str, model: Model) -> Figures:
    """Learn, rank for everybody, compare."""
    started = time.perf_counter()
    model.fit(trial.train, trial.catalog)
    fitted = time.perf_counter()
    lists = ranked(trial, model)
    answered = time.perf_counter()
    loss_rows = sampled(trial.known, 200, seed=0)
    return Figures(
        trial=trial.name,
        model=name,
        n_persons=len(trial.known),
        n_pairs=sum(len(t) for t in trial.targets),
        estimates=estimates(trial, lists),
        served_recall=served_recall(model, loss_rows, trial.catalog, kind=trial.kind, k=trial.k),
        fit_s=fitted - started,
        candidates_us=(answered - fitted) / len(lists) * 1e6,
    )


class RealSet(StrEnum):
    """The sets there are."""

    KUAIRAND = "kuairand"
    XD_AMAZON = "xd_amazon"


def trials(real_set: RealSet) -> Iterator[Trial]:
    """The questions of a set."""
    return kuairand(KUAIRAND_WEIGHTS) if real_set is RealSet.KUAIRAND else xd_amazon("test")


def table(figures: list[Figures]) -> Table:
    """The figures for people to read."""
    shown = Table("trial", "model", "metric", "95 % interval", "served", "fit", "a list")
    for one in figures:
        for metric, e in one.estimates.items():
            interval = f"{e.mean:.4f} ({e.low:.4f} to {e.high:.4f})"
            times = (f"{one.fit_s:.1f} s", f"{one.candidates_us:.0f} µs")
            shown.add_row(
                one.trial, one.model, metric, interval, f"{one.served_recall:.3f}", *times
            )
    return shown


def main(
    real_set: Annotated[RealSet, typer.Option("--set", help="Which real set.")],
    defaults: Annotated[bool, typer.Option("--defaults", help="As without settings.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write figures here.")] = None,
) -> None:
    """Learn every model on a real set and rank for its people, with the settings for the set."""
    settings = {} if defaults else SETTINGS[real_set]
    figures = []
    for trial in trials(real_set):
        for name, cls in track(MODELS.items(), description=trial.name):
            if name in WITHOUT[real_set]:
                continue
            figures.append(measure(trial, name, cls(**settings.get(name, {}))))
    Console().print(table(figures))
    if json_file:
        json_file.write_text(json.dumps([asdict(one) for one in figures], indent=2))


if __name__ == "__main__":
    typer.run(main)
