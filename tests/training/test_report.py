import pytest

from recsys.catalog import Kind
from recsys.evaluation import Answers, Question
from recsys.figures import PIPELINE, Figure
from recsys.metrics import Estimate
from training.report import HITS, answers_table, title


def answers(n_persons):
    question = Question(scene="home", kinds=(Kind.VIDEO,), ks=(5,))
    figure = Figure(contender=PIPELINE, metric="recall", k=5, estimate=Estimate.of([0.5, 1.0]))
    return Answers(question=question, n_persons=n_persons, n_strangers=0, figures=(figure,))


@pytest.mark.parametrize(("n_persons", "n_rows"), [(0, 0), (2, len(HITS))])
def test_a_question_nobody_answers_has_no_empty_rows(n_persons, n_rows):
    assert answers_table(answers(n_persons)).row_count == n_rows


def test_the_title_says_who_was_asked_what():
    assert title(answers(2)) == "home, video: 2 persons; targets new to them"
