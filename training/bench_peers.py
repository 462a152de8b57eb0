"""The other libraries' side of `dapei bench training`: the same steps, timed the same way.

Run as a file by the Python that has the library: `python bench_peers.py implicit`. It reads what is
asked as JSON from its input. Nothing of ours is imported here, for RecTools wants an older numpy
than we do.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

# As our own command does it; it must be said before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

Seconds = dict[str, float]
Kinds = dict[str, dict[str, Any]]


@contextmanager
def timed(seconds: Seconds, name: str) -> Iterator[None]:
    """Note how long what is inside takes, under a name."""
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started


def learner(name: str, said: dict[str, Any]) -> Any:
    """The model of `implicit` of the same kind and size."""
    if name == "als":
        return import_module("implicit.als").AlternatingLeastSquares(
            factors=said["factors"], iterations=said["iterations"], random_state=said["seed"]
        )
    nearest = import_module("implicit.nearest_neighbours")
    return nearest.CosineRecommender(K=said["n_neighbours"])


def of_implicit(file: str, kinds: Kinds, k: int) -> Seconds:
    """The library alone: pairs to a matrix, learn, and lists for everybody in one call."""
    numpy, sparse = import_module("numpy"), import_module("scipy.sparse")
    # What reads a file is not the library's; the fastest reader there is takes part with it.
    read = import_module("polars").read_parquet
    seconds: Seconds = {}
    with timed(seconds, "load"):
        frame = read(file)
        users, items = frame["user"].to_numpy(), frame["item"].to_numpy()
        ones = numpy.ones(len(users), dtype=numpy.float32)
        matrix = sparse.csr_matrix((ones, (users, items)))
    for name, said in kinds.items():
        model = learner(name, said)
        with timed(seconds, f"{name} fit"):
            model.fit(matrix, show_progress=False)
        with timed(seconds, f"{name} recommend"):
            everybody = numpy.arange(matrix.shape[0])
            model.recommend(everybody, matrix, N=k, filter_already_liked_items=True)
    return seconds


def of_rectools(file: str, kinds: Kinds, k: int) -> Seconds:
    """The library's own way: a data frame to its data set, its wrappers, lists for everybody."""
    pandas, models = import_module("pandas"), import_module("rectools.models")
    dataset_of = import_module("rectools.dataset").Dataset
    wrappers = {
        "als": models.ImplicitALSWrapperModel,
        "item_knn": models.ImplicitItemKNNWrapperModel,
    }
    seconds: Seconds = {}
    with timed(seconds, "load"):
        frame = pandas.read_parquet(file).rename(columns={"user": "user_id", "item": "item_id"})
        frame["weight"], frame["datetime"] = 1.0, pandas.Timestamp("2026-01-01")
        dataset = dataset_of.construct(frame)
    for name, said in kinds.items():
        model = wrappers[name](learner(name, said))
        with timed(seconds, f"{name} fit"):
            model.fit(dataset)
        with timed(seconds, f"{name} recommend"):
            everybody = dataset.user_id_map.external_ids
            model.recommend(users=everybody, dataset=dataset, k=k, filter_viewed=True)
    return seconds


LIBRARIES = {"implicit": of_implicit, "rectools": of_rectools}


def main() -> None:
    """Answer the one ask on the standard input for the library named."""
    ask = json.load(sys.stdin)
    seconds = LIBRARIES[sys.argv[1]](ask["file"], ask["kinds"], ask["k"])
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024
    sys.stdout.write(json.dumps({"seconds": seconds, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
