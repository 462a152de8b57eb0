"""The report of an evaluation as one page: nothing is loaded from elsewhere, nothing runs."""

from collections.abc import Iterator, Sequence
from html import escape
from math import isnan

from recsys.comparison import VERDICT_RULE
from recsys.evaluation import Answers
from recsys.figures import AGAINST, BY_RANK, CHANCE, GAIN, MAIN, PIPELINE, POPULARITY, TARGETS
from recsys.metrics import Estimate
from recsys.race import PARTS, PLATFORM_WORDS
from training.evaluate import Evaluation
from training.page_style import STYLE
from training.page_words import GLOSSARY, VERDICT_WORDS, WORDS
from training.plots import Series, bars, forest, lines
from training.report import HITS, OF_LISTS, RACING, ablation, reached, split_line, title

COLOURS = {PIPELINE: 0, POPULARITY: 1, CHANCE: 2, TARGETS: 3}
# Ends of the history parts that do not overlap.
BINS = ("0", "1-4", "5-19", "20-99", "100+")


def page(found: Evaluation) -> str:
    """The whole page, valid as XML too."""
    body = [
        f"<h1>{_two('report')}</h1>",
        f"<p>{escape(split_line(found))}.</p>",
        _verdicts(found),
        *(_section(answers) for answers in found.answers),
        _served(found),
        f"<h2>{_two('glossary')}</h2><dl>{''.join(map(_explained, GLOSSARY))}</dl>",
        f'<p class="note">{escape(VERDICT_RULE)} Intervals are of 95 %. 区间为 95 % 置信区间。</p>',
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head>'
        '<meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{escape(WORDS['report'][0])}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _two(word: str, before: str = "") -> str:
    english, chinese = WORDS[word]
    first = f"{before} {english}" if before else english
    return f'{escape(first)} <span lang="zh">{escape(chinese)}</span>'


def _explained(word: str) -> str:
    english, chinese = GLOSSARY[word]
    said = f'{escape(english)} <span lang="zh">{escape(chinese)}</span>'
    return f"<dt>{escape(word)}</dt><dd>{said}</dd>"


def _verdicts(found: Evaluation) -> str:
    """One card a question, and all differences of the main metric in one plot."""
    cards, rows = [], []
    for answers in found.answers:
        for one in answers.comparisons:
            if one.verdict is not None:
                word = one.verdict.value
                cards.append(
                    f'<li class="{word.split()[0]}"><b>{word}</b> '
                    f'<span lang="zh">{VERDICT_WORDS[one.verdict]}</span> {_named(answers)}'
                    f"<br/><small>{escape(reached(one))}</small></li>"
                )
                rows.append((_named(answers), one.difference))
    if not cards:
        return ""
    plot = _figure(_two("difference", f"{MAIN}:"), forest(f"{MAIN}: difference", rows), ())
    return f'<h2>{_two("verdicts")}</h2><ul class="verdicts">{"".join(cards)}</ul>{plot}'


def _named(answers: Answers) -> str:
    scene = answers.question.scene.replace("post_checkout", "checkout")
    return f"{scene}, {answers.question.kinds_word}"


def _section(answers: Answers) -> str:
    heading = f"<h2>{escape(title(answers))}</h2>"
    if not answers.n_persons:
        return heading
    return "".join(
        [
            heading,
            '<div class="plots">',
            *_plots(answers),
            "</div>",
            f"<h3>{_two('hits')}</h3>{_hits(answers)}",
            f"<h3>{_two('lists')}</h3>{_lists(answers)}",
            _differences(answers),
        ]
    )


def _plots(answers: Answers) -> Iterator[str]:
    for metric in (MAIN, "recall"):
        yield _by_k(answers, metric)
    yield _by_history(answers)
    yield _popularity(answers)
    yield _spread(answers)
    yield _commerce(answers)
    yield _ablated(answers)


def _figure(heading: str, svg: str, series: Sequence[Series]) -> str:
    legend = "".join(f'<li class="c{one.colour}">{escape(one.name)}</li>' for one in series)
    keys = f'<ul class="legend">{legend}</ul>' if len(series) > 1 else ""
    return f"<figure><figcaption>{heading}</figcaption>{svg}{keys}</figure>"


def _by_k(answers: Answers, metric: str) -> str:
    measured = answers.of()
    ks = sorted({k for one, name, k in measured if (one, name) == (PIPELINE, metric)})
    series = [
        Series(
            name=name,
            colour=COLOURS[name],
            estimates=tuple(measured.get((name, metric, k)) for k in ks),
        )
        for name in RACING
        if (name, metric, ks[0]) in measured
    ]
    svg = lines(f"{metric} by length of list", [str(k) for k in ks], series)
    return _figure(_two("by_k", metric), svg, series)


def _by_history(answers: Answers) -> str:
    k = answers.question.ks[-1]
    measured = {people: answers.of(people) for people in BINS}
    there = [people for people in BINS if (PIPELINE, MAIN, k) in measured[people]]
    series = [
        Series(
            name=name,
            colour=COLOURS[name],
            estimates=tuple(measured[people].get((name, MAIN, k)) for people in there),
        )
        for name in (PIPELINE, POPULARITY)
    ]
    labels = [f"{people} ({measured[people][PIPELINE, MAIN, k].n:,})" for people in there]
    svg = bars(f"{MAIN}@{k} by events before", labels, series)
    return _figure(_two("by_history", f"{MAIN}@{k}"), svg, series) if there else ""


def _popularity(answers: Answers) -> str:
    k, measured = answers.question.ks[-1], answers.of()
    names = [name for name in (*RACING, TARGETS) if (name, "popularity", k) in measured]
    if not names:
        return ""
    estimates = tuple(measured[name, "popularity", k] for name in names)
    series = [Series(name="popularity", colour=0, estimates=estimates)]
    return _figure(_two("popularity"), bars("percentile of popularity", names, series), series)


def _spread(answers: Answers) -> str:
    k, measured = answers.question.ks[-1], answers.of()
    series = [
        Series(
            name=name,
            colour=COLOURS[name],
            estimates=tuple(measured.get((name, metric, k)) for metric in ("coverage", "gini")),
        )
        for name in RACING
        if (name, "coverage", k) in measured
    ]
    svg = bars(f"coverage and Gini at {k}", ("coverage 覆盖", "Gini 基尼"), series)
    return _figure(_two("spread"), svg, series)


def _commerce(answers: Answers) -> str:
    measured = answers.of()
    places = sorted(k for one, name, k in measured if (one, name) == (PIPELINE, BY_RANK))
    if not places:
        return ""
    estimates = tuple(measured[PIPELINE, BY_RANK, place] for place in places)
    series = [Series(name=PIPELINE, colour=0, estimates=estimates)]
    svg = bars("share of products by place", [str(place) for place in places], series)
    return _figure(_two("commerce"), svg, series)


def _ablated(answers: Answers) -> str:
    rows = [
        (rival, found[MAIN])
        for rival, found in ablation(answers).items()
        if MAIN in found and rival.startswith("without ")
    ]
    if not rows:
        return ""
    k = answers.question.ks[-1]
    return _figure(_two("ablation", f"{MAIN}@{k}:"), forest("what each source adds", rows), ())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(one)}</th>" for one in head)
    inside = "".join(
        f"<tr><th>{escape(row[0])}</th>{''.join(f'<td>{one}</td>' for one in row[1:])}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr>{top}</tr>{inside}</table></div>'


def _cell(estimate: Estimate | None, digits: int = 4) -> str:
    if estimate is None or isnan(estimate.mean):
        return ""
    mean = f"{estimate.mean:.{digits}f}"
    if isnan(estimate.low):
        return mean
    return f"{mean} <small>{estimate.low:.{digits}f} … {estimate.high:.{digits}f}</small>"


def _hits(answers: Answers) -> str:
    measured = answers.of()
    names = [name for name in (*RACING, GAIN) if any(one == name for one, _, _ in measured)]
    rows = [
        [f"{metric}@{k}", *(_cell(measured.get((name, metric, k))) for name in names)]
        for metric in HITS
        for k in answers.question.ks
    ]
    longest = answers.question.ks[-1]
    for people in (*PARTS, *PLATFORM_WORDS):
        of = answers.of(people)
        if (PIPELINE, MAIN, longest) in of:
            cells = [_cell(of.get((name, MAIN, longest))) for name in names]
            rows.append([f"{MAIN}@{longest}, {people}{' events' * (people in PARTS)}", *cells])
    return _table(["", *names], rows)


def _lists(answers: Answers) -> str:
    k, measured = answers.question.ks[-1], answers.of()
    names = [*RACING, TARGETS]
    rows = []
    for metric, (called, digits) in OF_LISTS.items():
        cells = [_cell(measured.get((name, metric, k)), digits) for name in names]
        if any(cells):
            rows.append([f"{called}, of targets" if metric == "cold_share" else called, *cells])
    return _table([f"lists of {k}", *names], rows)


def _differences(answers: Answers) -> str:
    against = [one for one in answers.comparisons if one.look.theirs == AGAINST]
    rows = [
        [
            f"{one.look.metric}@{one.look.k}"
            + ("" if one.look.people == "all" else f", {one.look.people} events"),
            _cell(one.difference),
            f"{one.n_differing:,} of {one.difference.n:,}",
        ]
        for one in against
    ]
    k = answers.question.ks[-1]
    ablated = [
        [rival, *(_cell(found.get(metric)) for metric in (MAIN, "recall", "hit_rate"))]
        for rival, found in ablation(answers).items()
    ]
    parts = []
    if rows:
        head = ["", f"{PIPELINE} − {AGAINST}", "persons that differ"]
        parts.append(f"<h3>{_two('difference')}</h3>{_table(head, rows)}")
    if ablated:
        head = [f"{PIPELINE} − …", *(f"{one}@{k}" for one in (MAIN, "recall", "hit_rate"))]
        parts.append(f"<h3>{_two('ablation')}</h3>{_table(head, ablated)}")
    return "".join(parts)


def _served(found: Evaluation) -> str:
    """How much of what scoring everything would find is found by prepared lists."""
    if not found.served:
        return ""
    models = list(found.served)
    kinds = list(dict.fromkeys(kind for one in found.served.values() for kind in one))
    series = [
        Series(
            name=kind,
            colour=number,
            estimates=tuple(
                Estimate.of([found.served[model].get(kind, float("nan"))]) for model in models
            ),
        )
        for number, kind in enumerate(kinds)
    ]
    svg = bars("served against dense", models, series)
    return f"<h2>{_two('served')}</h2>{_figure('', svg, series)}"
