from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from recsys.comparison import Verdict
from recsys.figures import AGAINST
from tests.training.planted_home import CONFIG, planted_shop, without
from training.evaluate import Plan, evaluate_by_time, questions
from training.page import page
from training.page_words import GLOSSARY
from training.report import HITS, OF_LISTS, ablation, comparison_table, tables, verdict_line


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The planted shop's pipelines against popularity with a trace of tags, with everything on."""
    shop = planted_shop(tmp_path_factory.mktemp("page") / "home")
    plan = Plan(
        against=without(CONFIG, "als", "item_knn", "cards", "tags", "newness", "transitions"),
        is_ablated=True,
        has_losses=True,
    )
    asked = questions(["home", "post_checkout"], ks=(5, 8), people=60, new_only=False)
    return evaluate_by_time(shop, CONFIG, asked, plan=plan)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_page_is_well_formed(found):
    root = ElementTree.fromstring(page(found).removeprefix("<!DOCTYPE html>"))
    assert root.tag == "html"
    assert len(list(root.iter("table"))) >= 3 * len(found.answers)
    assert all(svg.get("aria-label") for svg in root.iter("svg"))


def test_page_loads_nothing_and_runs_nothing(found):
    text = page(found)
    assert "://" not in text
    assert "url(" not in text
    assert "@import" not in text
    tags = Tags(text).found
    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object", "a"}
    assert not {name for _, attrs in tags for name in attrs if name in ("src", "href")}
    assert not {name for _, attrs in tags for name in attrs if name.startswith("on")}


def test_page_shows_every_part(found):
    text = page(found)
    for word in ("结论", "命中", "列表特征", "随列表长度", "按历史行为数", "流行度", "覆盖率"):
        assert word in text, word
    for word in ("各位置商品占比", "各来源的贡献", "一致率", "prefers-color-scheme: dark"):
        assert word in text, word
    assert "width=device-width" in text


def test_every_metric_that_is_shown_is_explained():
    shown = {*HITS, *(called.removesuffix(", bits") for called, _ in OF_LISTS.values())}
    explained = {word for words in GLOSSARY for word in words.split(", ")}
    assert shown - {"recall of new", "hits of new"} <= explained


def test_names_of_a_configuration_are_text_and_no_markup(found):
    (first, *_) = found.answers
    odd = [replace(one, look=replace(one.look, theirs="without <b>")) for one in first.comparisons]
    text = page(replace(found, answers=(replace(first, comparisons=tuple(odd)),)))
    assert "without &lt;b&gt;" in text
    assert "without <b>" not in text


def test_question_that_nobody_answers_has_a_heading_only(found):
    (first, *_) = found.answers
    nobody = replace(first, n_persons=0, figures=(), comparisons=())
    text = page(replace(found, answers=(nobody,), served={}))
    assert "0 persons" in text
    assert "<svg" not in text
    assert "<table" not in text


def test_a_pipeline_known_to_be_better_is_called_so(found):
    answers = found.about("home", tuple(answers_kinds(found)))
    (judged,) = [one for one in answers.comparisons if one.verdict]
    assert judged.verdict is Verdict.BETTER
    assert "better" in verdict_line(answers)
    assert "更好" in page(found)


def answers_kinds(found):
    return found.answers[0].question.kinds


def test_terminal_shows_a_table_for_everything_asked(found):
    heads = [table.columns[0].header for table in tables(found.answers[0])]
    assert heads == ["", "ndcg@8 by events", "lists of 8", "", "pipeline − …, at 8"]
    alone = replace(found.answers[0], comparisons=())
    assert len(tables(alone)) == 3
    assert verdict_line(alone) == ""
    assert comparison_table(found.answers[0]).row_count > 10


def test_ablation_has_each_source_out_and_alone(found):
    sources = [source.name for source in CONFIG.pipelines["home"].sources]
    named = ablation(found.answers[0])
    assert set(named) == {f"without {name}" for name in sources} | {
        f"{name} alone" for name in sources
    }
    assert AGAINST not in named


def test_losses_are_measured_when_asked_for(found):
    personal = set(CONFIG.used_models) - {"popular", "trend"}
    assert set(found.served) == personal
    assert found.plain()["served_recall"] == found.served
