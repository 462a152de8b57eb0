"""What each source adds to the full pipeline, on three homes made from data; writes ABLATION.md.

Each home is imported by its ready mappings, learned with its ready settings, and asked with
`dapei evaluate --ablate`: the pipeline against itself without each source, and against each alone.
"""

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from training.bench_page import commit, machine

ROOT = Path(__file__).parents[1]
SHOWN = ("recall", "ndcg", "hit_rate")
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A home that is made from data and asked.

    Parameters
    ----------
    imports
        Mapping and file of each import, in order; {data}, {ours} stand for the folders of them.
    settings
        A file of `data/homes`, empty for the defaults.
    asked
        Further words of `dapei evaluate`.
    """

    name: str
    imports: tuple[tuple[str, str], ...]
    settings: str = ""
    asked: tuple[str, ...]


_M, _T, _K = "{ours}/mappings", "{data}/mb_taobao", "{data}/sv_kuairand_pure"
HOMES = (
    Home(
        name="mb_taobao",
        imports=tuple(
            (f"{_M}/mb_taobao_{one}.toml", f"{_T}/train_{one}.parquet")
            for one in ("view", "cart", "buy")
        ),
        settings="mb_taobao.toml",
        asked=(
            *("--test", f"{_M}/mb_taobao_test.toml", f"{_T}/test_buy.parquet"),
            *("--scene", "home", "--kinds", "product", "--k", "10"),
        ),
    ),
    Home(
        name="sv_kuairand_pure",
        imports=(
            (f"{_M}/sv_kuairand_videos.toml", f"{_K}/videos.parquet"),
            (f"{_M}/sv_kuairand_history.toml", f"{_K}/user_history_until_0424.parquet"),
        ),
        settings="kuairand_ecomm.toml",
        asked=(
            *("--test", f"{_M}/sv_kuairand_test.toml", f"{_K}/log_valid_0425_0430.parquet"),
            *("--scene", "home", "--kinds", "video", "--k", "20"),
        ),
    ),
    Home(
        name="sample shop",
        imports=(
            ("{ours}/sample/products.toml", "{ours}/sample/products.jsonl"),
            ("{ours}/sample/videos.toml", "{ours}/sample/videos.jsonl"),
            ("{ours}/sample/events.toml", "{ours}/sample/events.csv.gz"),
        ),
        asked=("--k", "20"),
    ),
)


def main(
    data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of the sets.")],
    page: Annotated[Path, typer.Option(dir_okay=False)] = ROOT / "benchmarks" / "ABLATION.md",
    only: Annotated[list[str] | None, typer.Option(help="Of these homes; may be repeated.")] = None,
    people: Annotated[int, typer.Option(min=0, help="At most so many a question; 0: all.")] = 2_000,
    keep: Annotated[
        Path | None,
        typer.Option(help="Figures as JSON go to this folder; those it holds are kept."),
    ] = None,
) -> None:
    """Make the homes, ask them, write the page."""
    names = [home.name for home in HOMES]
    unknown = sorted(set(only or ()) - set(names))
    if unknown:
        raise typer.BadParameter(f"got {unknown[0]!r}; allowed: {', '.join(names)}")
    with tempfile.TemporaryDirectory() as beside:
        found = keep or Path(beside)
        found.mkdir(parents=True, exist_ok=True)
        for home in HOMES:
            file = found / f"{home.name}.json"
            if (not only or home.name in only) and not file.exists():
                answer(home, data, Path(beside) / home.name, file, people)
        page.write_text("\n".join(lines(found)) + "\n", encoding="utf-8")


def answer(home: Home, data: Path, folder: Path, json_file: Path, people: int) -> None:
    """Make one home and leave its figures in a file."""

    def said(text: str) -> str:
        return text.format(data=data, ours=ROOT / "data")

    for mapping, file in home.imports:
        run("import", said(mapping), said(file), "--home", str(folder))
    if home.settings:
        (folder / "dapei.toml").write_bytes((ROOT / "data/homes" / home.settings).read_bytes())
    asked = (*map(said, home.asked), "--people", str(people), "--ablate")
    run("evaluate", "--home", str(folder), *asked, "--json", str(json_file))


def run(*words: str) -> None:
    """One sub-command of `dapei`, in sight; its exit code ends this if it fails."""
    typer.echo(f"$ dapei {shlex.join(words)}")
    done = subprocess.run([sys.executable, "-m", "dapei", *words], cwd=ROOT, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)


def lines(folder: Path) -> Iterator[str]:
    """The page, of the figures that lie in a folder."""
    yield "# What each source adds to the full pipeline"
    yield ""
    yield (
        f"Made by `python -m benchmarks.ablation --data DIR --people N` on {machine()}, commit "
        f"{commit()}, seed 1; N is 0 for everybody, each table tells how many were "
        "asked. Each line is the full pipeline less a variant of it, paired over persons: above 0 "
        "the pipeline is better, so a source "
        "whose absence costs something adds something. ± is half of the 95 % interval of a "
        "bootstrap over persons."
    )
    for home in HOMES:
        file = folder / f"{home.name}.json"
        if file.exists():
            for one in json.loads(file.read_bytes())["answers"]:
                yield from table(home.name, one)


def table(name: str, one: Answer) -> Iterator[str]:
    """One question to one home."""
    k = max(figure["k"] for figure in one["figures"]) if one["figures"] else 0
    if not one["persons"] or not one["comparisons"]:
        return
    targets = "new to them" if one["new_only"] else "known ones too"
    yield ""
    yield f"## {name}: {one['scene']}, {' and '.join(one['kinds'])}"
    yield ""
    yield f"{one['persons']:,} persons, targets {targets}, lists of {k}."
    yield ""
    yield "| | " + " | ".join(f"{metric}@{k}" for metric in SHOWN) + " |"
    yield "|---|" + "--:|" * len(SHOWN)
    measured = {(f["contender"], f["metric"], f["k"]): f["estimate"] for f in one["figures"]}
    for who in ("pipeline", "popularity"):
        cells = [cell(measured.get((who, metric, k))) for metric in SHOWN]
        yield f"| **{who}** | " + " | ".join(cells) + " |"
    variants: dict[str, dict[str, Answer]] = {}
    for look in one["comparisons"]:
        if look["k"] == k and look["people"] == "all":
            variants.setdefault(look["theirs"], {})[look["metric"]] = look
    for variant, looks in variants.items():
        cells = [cell(looks.get(metric)) for metric in SHOWN]
        yield f"| pipeline − {variant} | " + " | ".join(cells) + " |"


def cell(estimate: Answer | None) -> str:
    """A mean with half of its interval; bold where the interval leaves 0 out."""
    if estimate is None:
        return ""
    half = (estimate["high"] - estimate["low"]) / 2
    text = f"{estimate['mean']:+.4f} ± {half:.4f}"
    if "theirs" not in estimate:
        return text.removeprefix("+")
    return f"**{text}**" if estimate["low"] > 0 or estimate["high"] < 0 else text


if __name__ == "__main__":
    typer.run(main)
