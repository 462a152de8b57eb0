"""The card of a bundle: what it was made of, how good it is and where its limits are.

Everything comes from the signed manifest, so the card cannot say anything else than it does.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import isnan
from typing import Any

from recsys.comparison import MIN_PERSONS
from recsys.figures import GAIN, MAIN, PIPELINE, POPULARITY, TARGETS
from recsys.scenes import SCENES

Said = Mapping[str, Any]
# Below this share of the true best in prepared lists, it is named as a limit.
ENOUGH_SERVED = 0.95
FEW_DAYS = 28
# What is told of each question, at the longest list.
TOLD = (
    (PIPELINE, MAIN),
    (POPULARITY, MAIN),
    (GAIN, MAIN),
    (PIPELINE, "recall"),
    (PIPELINE, "hit_rate"),
    (PIPELINE, "coverage"),
    (PIPELINE, "diversity"),
    (PIPELINE, "novelty"),
    (PIPELINE, "popularity_lift"),
    (PIPELINE, "commerce"),
)


def card(manifest: Said) -> str:
    """The card as Markdown."""
    parts = [
        f"# Bundle {manifest['bundle_id']}",
        *_section("Data", _data(manifest["origin"])),
        *_section("Models", _models(manifest)),
        *_section("Lists", _pipelines(manifest)),
        *_section("Figures", _figures(manifest["figures"])),
        *_section("People apart by how many events they had before", _parts(manifest["figures"])),
        *_section("Served against dense", _served(manifest["figures"])),
        *_section("What behaviours contribute", _contributions(manifest["figures"])),
        *_section("Known limits", [f"- {limit}" for limit in limits(manifest)]),
        *_section("Made again", _again(manifest)),
    ]
    return "\n".join(parts) + "\n"


def _section(heading: str, lines: Sequence[str] | Iterator[str]) -> list[str]:
    found = list(lines)
    return ["", f"## {heading}", "", *found] if found else []


def _data(origin: Said) -> Iterator[str]:
    items = ", ".join(f"{n:,} {kind}s" for kind, n in origin["items"].items())
    yield f"- Made {origin['created_at']} by Dapei {origin.get('code_version', 'unknown')}."
    if origin["data_from"]:
        yield f"- Events from {origin['data_from']} to {origin['data_until']}."
    else:
        yield "- No event has a time."
    yield f"- {origin['events']:,} events of {origin['persons']:,} persons; {items}."
    yield f"- Seed {origin['seed']}. No person is in the bundle: models know items only."


def _models(manifest: Said) -> Iterator[str]:
    learned = manifest["origin"]["learned_from"]
    yield from _head("name", "model", "learned from", "parameters")
    for name, said in manifest["models"].items():
        types = learned.get(name, "all")
        acts = "all acts" if types == "all" else ", ".join(types)
        parameters = ", ".join(f"{key} {value}" for key, value in said["parameters"].items())
        yield _row(name, said["model"], acts, parameters)
    taste = manifest["taste"]
    weights = ", ".join(f"{word} {weight:g}" for word, weight in taste["weights"].items())
    yield ""
    yield f"An event halves every {taste['half_life_days']:g} days and weighs: {weights}."


def _pipelines(manifest: Said) -> Iterator[str]:
    scorers = manifest["origin"].get("scorers", {})
    for scene, pipeline in manifest["pipelines"].items():
        sources = ", ".join(
            f"{one['name']} ({one['model']} of the {one['of']}, weight {one['weight']:g})"
            for one in pipeline["sources"]
        )
        yield f"- **{scene}**: {sources}; then {', '.join(pipeline['stages'])}."
        chosen = pipeline.get("scorer") or "reciprocal ranks"
        yield f"  Ordered by: {chosen}.{_why(scorers.get(scene, {}))}"


def _why(said: Said) -> str:
    """Why a scorer was chosen, from what its learning said."""
    words = [f" {said['note']}." if "note" in said else ""]
    for metric, measured in said.items():
        if isinstance(measured, Mapping):
            found = [f"{n} {_text(one)}" for n, one in measured.items() if _is_estimate(one)]
            words.append(f" {metric} on held-out people: {'; '.join(found)}." if found else "")
    return "".join(words)


def _is_estimate(value: object) -> bool:
    return isinstance(value, Mapping) and {"mean", "low", "high"} <= set(value)


def _figures(figures: Said) -> Iterator[str]:
    evaluation = figures["evaluation"]
    if "skipped" in evaluation:
        yield f"Not measured: {evaluation['skipped']}."
        return
    split = evaluation["split"]
    yield (
        f"Learned from the {split['events_before']:,} events before {split['at']}, asked about the "
        f"{split['events_since']:,} since; means over persons with their interval of 95 %."
    )
    asked = [one for one in evaluation["answers"] if one["persons"]]
    names = [f"{one['scene']}, {'+'.join(one['kinds'])}" for one in asked]
    yield ""
    yield from _head(f"at {_longest(asked[0])}" if asked else "", *names)
    yield _row("persons", *(f"{one['persons']:,}" for one in asked))
    for contender, metric in TOLD:
        cells = [_text(_found(one, contender, metric)) for one in asked]
        if any(cells):
            name = metric if contender == PIPELINE else f"{metric} of {contender}"
            yield _row(name.replace(f"of {GAIN}", f"over {POPULARITY}"), *cells)


def _longest(answers: Said) -> int:
    return max(
        (
            one["k"]
            for one in answers["figures"]
            if (one["contender"], one["metric"]) == (PIPELINE, MAIN)
        ),
        default=0,
    )


def _found(answers: Said, contender: str, metric: str, people: str = "all") -> Said | None:
    k = _longest(answers)
    # Figures of before people were told apart are of all.
    for one in (*answers["figures"], *answers.get("parts", [])):
        asked = (one["contender"], one["metric"], one["k"], one.get("people", "all"))
        if asked == (contender, metric, k, people):
            estimate: Said = one["estimate"]
            return estimate
    return None


def _parts(figures: Said) -> Iterator[str]:
    answers = figures["evaluation"].get("answers", [])
    rows = []
    for one in answers:
        for people in ("0", "1-4", "5+"):
            ours = _found(one, PIPELINE, MAIN, people)
            if ours is not None:
                gain = _text(_found(one, GAIN, MAIN, people))
                where = f"{one['scene']}, {'+'.join(one['kinds'])}"
                rows.append(_row(where, people, f"{ours['n']:,}", _text(ours), gain))
    if rows:
        yield from _head("lists", "events", "persons", MAIN, f"over {POPULARITY}")
        yield from rows


def _served(figures: Said) -> Iterator[str]:
    served = figures.get("served_recall", {})
    if served:
        kinds = list(dict.fromkeys(kind for one in served.values() for kind in one))
        yield "Share of each model's true best that its prepared lists find, for some persons."
        yield ""
        yield from _head("model", *kinds)
        for name, shares in served.items():
            yield _row(name, *(_share(shares.get(kind)) for kind in kinds))


def _share(value: float | None) -> str:
    return "no opinion" if value is None or isnan(value) else f"{value:.3f}"


def _contributions(figures: Said) -> Iterator[str]:
    for name, by_kind in figures.get("contributions", {}).items():
        for kind, by_word in by_kind.items():
            told = sorted(by_word.items(), key=lambda one: -one[1])
            words = ", ".join(f"{word} {value:.4f}" for word, value in told)
            yield f"- {name}, for {kind}s: {words or 'nothing'}."


def limits(manifest: Said) -> list[str]:
    """What must be known before the bundle is relied on; computed where it can be."""
    found = [*_limits_of_data(manifest["origin"]), *_limits_of_figures(manifest["figures"])]
    for scene, said in manifest["origin"].get("scorers", {}).items():
        if not said.get("used") and "note" in said:
            found.append(f"{scene}: no order was learned: {said['note']}.")
    return [
        *found,
        "What people did, they did under other lists than these; only an experiment tells what "
        "these lists earn.",
        "Evaluation uses today's catalogue: what was on sale at the split is not known.",
    ]


def _limits_of_data(origin: Said) -> Iterator[str]:
    for kind, n in origin["items"].items():
        if n == 0:
            yield f"There are no {kind}s."
    if origin["data_from"] is None:
        yield "No event has a time: nothing decays, and no split by time could be measured on."
    else:
        days = _days(origin["data_from"], origin["data_until"])
        if days < FEW_DAYS:
            yield f"The data cover {days:.0f} days: what comes back by the month was not seen."
    if origin.get("events_of_unknown_items"):
        n = origin["events_of_unknown_items"]
        yield f"{n:,} events were of items that the catalogue does not hold, and were left out."


def _days(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds() / 86_400


def _limits_of_figures(figures: Said) -> Iterator[str]:
    evaluation = figures["evaluation"]
    if "skipped" in evaluation:
        yield f"It was not measured how good its lists are: {evaluation['skipped']}."
    for one in evaluation.get("answers", []):
        where = f"{one['scene']}, {'+'.join(one['kinds'])}"
        yield from (f"{where}: {limit}." for limit in _limits_of_answers(one))
    for name, shares in figures.get("served_recall", {}).items():
        for kind, share in shares.items():
            if share is None or isnan(share):
                yield f"{name} has no opinion on {kind}s."
            elif share < ENOUGH_SERVED:
                yield f"{name} finds {share:.0%} of its true best {kind}s when it is served."
    for refusal in figures.get("gate", {}).get("refusals", []):
        yield f"The gate refused it: {refusal}."


def _limits_of_answers(answers: Said) -> Iterator[str]:
    n = answers["persons"]
    if n == 0:
        yield "nobody had a target, so nothing was measured"
        return
    if n < MIN_PERSONS:
        yield f"only {n} test persons, so figures are rough"
    if answers["strangers"]:
        yield (
            f"{answers['strangers']:,} of {n:,} test persons ({answers['strangers'] / n:.1%}) had "
            "done nothing before"
        )
    impersonal = _found(answers, PIPELINE, "impersonal")
    # A list for an order that the caller names is not personal, and need not be.
    if impersonal and impersonal["mean"] > 0 and not SCENES[answers["scene"]].has_basket:
        yield f"{impersonal['mean']:.1%} of the lists were not personalised"
    gain = _found(answers, GAIN, MAIN)
    if gain and not (gain["low"] or -1) > 0:
        yield "not shown to be better than popularity"
    yield from _limits_of_items(answers)


def _limits_of_items(answers: Said) -> Iterator[str]:
    cold, hits = (
        _found(answers, TARGETS, "cold_share"),
        _found(answers, PIPELINE, "cold_hit_rate"),
    )
    if cold and cold["mean"] > 0:
        reached = f"; {hits['mean']:.1%} of those persons got one" if hits else ""
        yield f"{cold['mean']:.1%} of what people did was with items new to everybody{reached}"
    lift = _found(answers, PIPELINE, "popularity_lift")
    if lift and lift["low"] is not None and lift["low"] > 0:
        yield (
            f"lists are {100 * lift['mean']:.0f} percentiles more popular than what people do "
            "otherwise"
        )


def _again(manifest: Said) -> Iterator[str]:
    origin = manifest["origin"]
    made = origin.get("made_of", {})
    yield (
        f"Code {origin.get('code_version', 'unknown')}, lake version {made.get('lake_version')}, "
        f"items version {made.get('item_version')}, configuration {made.get('config')}; the same "
        "data, code and configuration give the same arrays."
    )
    yield ""
    yield "```bash\ndapei train --home HOME --config config.toml\n```"
    config = origin.get("config")
    if config is not None:
        yield ""
        yield "`config.toml`; what it does not say is the default of that code:"
        yield ""
        yield f"```toml\n{config.strip()}\n```" if config.strip() else "(nothing: all defaults)"


def _head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield _row("---", *["---"] * (len(names) - 1))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _text(estimate: Said | None) -> str:
    if not estimate or estimate["mean"] is None or isnan(estimate["mean"]):
        return ""
    if estimate["low"] is None or isnan(estimate["low"]):
        return f"{estimate['mean']:.4f}"
    return f"{estimate['mean']:.4f} ({estimate['low']:.4f} to {estimate['high']:.4f})"
