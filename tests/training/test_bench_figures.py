"""What figures say, on lists one can write down; and that both forms and ir-measures agree."""

from dataclasses import replace

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, nDCG

from recsys.blend import Blend
from recsys.models.als import ALS
from recsys.models.base import Ranking
from recsys.models.cards import Cards
from recsys.models.item_knn import ItemKNN
from recsys.models.popularity import Popularity
from tests.training.small_sets import trials_of, written
from training.bench_blend import Blending
from training.bench_contenders import contender, contenders
from training.bench_figures import (
    DENSE,
    SERVED,
    NoOpinion,
    dense_lists,
    measure,
    measure_all,
    served_lists,
    with_folds,
)
from training.bench_sets import trials
from training.blend import MOST_TIMES

LOG_3 = np.log2(3)


def popular(trial):
    """Values by metric and form of popularity."""
    return {
        (figure.metric, figure.form): figure.estimate
        for figure in measure(trial, "popularity", Popularity())
    }


def test_pairs_by_hand(tmp_path):
    (trial,) = trials_of("cf_x", tmp_path)
    found = popular(trial)
    # Persons 50 and 70 have one item left, person 60 gets 8 before 9.
    for form in (DENSE, SERVED):
        assert found["Recall@20", form].mean == 1
        assert found["NDCG@20", form].mean == pytest.approx((1 + 1 / LOG_3 + 1) / 3)
        assert found["NDCG@20", form].n == 3


def test_purchases_new_to_a_person_are_given_apart(tmp_path):
    trial, discovery = trials_of("mb_x", tmp_path)
    found = popular(trial)
    # Order 8, cart 4, view 1: item 33 weighs 13 and leads for person 1; 34 and 35 are bought.
    assert found["HR@10 new to the person", SERVED].n == 1
    assert found["NDCG@10 new to the person", SERVED].mean == 1
    # Person 2 gets 34 (17), 33 (13), 35 (9), 32 (5).
    assert found["NDCG@10", SERVED].mean == pytest.approx((1 + 1 / np.log2(5)) / 2)
    # Nothing that person 1 met is ranked, so 33 comes before 32.
    assert popular(discovery)["NDCG@10 among what is new", DENSE].mean == 1


def test_pairs_of_a_person_weigh_alike_and_are_judged_alone(tmp_path):
    book, _ = trials_of("xd_x", tmp_path)
    found = popular(book)
    # Books 0 and 1 were read by 9 each, then 2, 3 and 4 by 3: person 19 is to find 1 and 4.
    assert found["HR@10 book_song", DENSE].mean == 1
    assert found["NDCG@10 book_song", DENSE].mean == pytest.approx((1 / LOG_3 + 1 / np.log2(6)) / 2)
    assert found["NDCG@10 book_song", DENSE].n == 1


def test_folds_are_answered_as_one(tmp_path):
    both = trials_of("xd_x", tmp_path)
    found, _ = measure_all(with_folds(both, 1), "popularity", lambda _: Popularity())
    n_persons = {(one.metric, one.form): one.estimate.n for one in found}
    assert n_persons["HR@10 book_song", SERVED] == 1
    assert n_persons["HR@10 book_song cv", SERVED] == 20
    assert n_persons["NDCG@10 song_book cv", DENSE] == 20


def test_baskets_by_hand(tmp_path):
    (trial,) = trials_of("nbr_x", tmp_path)
    found = popular(trial)
    # Bought 10 twice, 11 and 12 once, 13 never: person 1 finds 10 and 12 at 1 and 3.
    ideal = 1 + 1 / LOG_3
    assert found["Recall@10", DENSE].mean == pytest.approx(1 / 2)
    assert found["NDCG@10", DENSE].mean == pytest.approx((1 + 1 / 2) / ideal / 2)
    assert found["PHR@10", DENSE].mean == pytest.approx(1 / 2)


def test_next_items_by_hand(tmp_path):
    (trial,) = trials_of("session_x", tmp_path)
    found = popular(trial)
    # Item 3 leads with four clicks, 2 follows with two; item 9 was never clicked.
    assert found["Recall@20", SERVED].mean == pytest.approx(2 / 3)
    assert found["MRR@20", SERVED].mean == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_only_what_a_person_owns_is_ranked_for_them(tmp_path):
    _, again = trials_of("retail_x", tmp_path)
    model = Popularity().fit(again.train, again.catalog)
    for lists in (dense_lists(again, model), served_lists(again, model)):
        (mine,) = lists
        assert len(mine) == 10
        assert set(mine.tolist()) < set(again.among[0].tolist())
        assert mine[0] == 3


@pytest.mark.parametrize("model", [Popularity(), ItemKNN(shrinkage=0.0), ALS(factors=3)])
@pytest.mark.parametrize("name", ["cf_x", "mb_x", "nbr_x", "session_x", "retail_x"])
def test_an_exact_model_serves_what_it_scores(tmp_path, name, model):
    trial = trials_of(name, tmp_path)[0]
    model.fit(trial.train, trial.catalog)
    for dense, served in zip(dense_lists(trial, model), served_lists(trial, model), strict=True):
        assert served.tolist() == dense.tolist()[: len(served)]


def test_blocks_change_nothing(tmp_path, monkeypatch):
    (trial,) = trials_of("nbr_x", tmp_path)
    model = ItemKNN().fit(trial.train, trial.catalog)
    whole = [one.tolist() for one in dense_lists(trial, model)]
    monkeypatch.setattr("training.bench_figures.MAX_BLOCK_CELLS", 1)
    assert [one.tolist() for one in dense_lists(trial, model)] == whole


def test_a_model_without_opinion_is_left_out(tmp_path):
    both = trials_of("cf_x", tmp_path)
    with pytest.raises(NoOpinion, match="cards gave no score"):
        measure_all(both, "cards", lambda _: Cards())


def test_a_model_learns_once_for_trials_that_share_their_rows(tmp_path):
    learned = []

    def new(trial):
        learned.append(trial)
        return Popularity()

    measure_all(trials_of("xd_x", tmp_path), "popularity", new)
    assert len(learned) == 1


def test_the_seed_is_taken_unless_the_parameters_name_one(tmp_path):
    (trial,) = trials_of("cf_x", tmp_path)
    assert contender("als", {}, 7)(trial).seed == 7
    assert contender("als", {"seed": 3, "factors": 4}, 7)(trial).seed == 3


def random_set(folder, rng):
    """Sixty persons, forty items, a tenth of all pairs in each half."""
    cells = rng.permutation(60 * 40)[:480]
    halves = {
        name: {"user": (part // 40).tolist(), "item": (part % 40).tolist()}
        for name, part in (("train", cells[:240]), ("test", cells[240:]))
    }
    return written(folder, **halves)


@pytest.mark.parametrize(
    ("metric", "measure_of"), [("Recall@20", R @ 20), ("NDCG@20", nDCG @ 20), ("MRR@20", RR @ 20)]
)
def test_figures_are_those_of_ir_measures(tmp_path, metric, measure_of):
    (trial,) = trials(random_set(tmp_path / "cf_r", np.random.default_rng(0)))
    lists = dense_lists(trial, ItemKNN().fit(trial.train, trial.catalog))
    runs = [
        ir_measures.ScoredDoc(str(person), str(item), -float(rank))
        for person, one in enumerate(lists)
        for rank, item in enumerate(one)
    ]
    wanted = [
        ir_measures.Qrel(str(person), str(item), 1)
        for person, one in enumerate(trial.targets)
        for item in one
    ]
    theirs = ir_measures.calc_aggregate([measure_of], wanted, runs)[measure_of]
    both = replace_metric(trial, metric)
    found = {one.metric: one.estimate.mean for one in measure(both, "item_knn", ItemKNN())}
    assert found[metric] == pytest.approx(theirs)


def replace_metric(trial, metric):
    """The same trial judged by one metric."""
    return replace(trial, metrics=(metric,))


def test_excluded_items_make_room_for_others(tmp_path):
    (trial,) = trials_of("cf_x", tmp_path)

    class Two(Popularity):
        def candidates(self, row, k, within):
            asked.append(k)
            return Ranking.best(np.arange(3), np.array([3.0, 2.0, 1.0]), k)

    asked = []
    model = Two().fit(trial.train, trial.catalog)
    assert served_lists(trial, model)[0].tolist() == [2]
    assert asked[0] == 20 + 2


def test_a_blend_answers_each_question_with_weights_of_its_own(tmp_path):
    both = trials_of("xd_x", tmp_path)
    makers = {"popularity": Popularity, "item_knn": lambda: ItemKNN(shrinkage=0.0)}
    blending = Blending(makers, seed=1)
    found, _ = measure_all(with_folds(both, 1), "dapei", blending)
    assert list(blending.blends) == ["book_song", "song_book"]
    assert {one.estimate.n for one in found if one.metric.endswith("cv")} == {20}
    for blend in blending.blends.values():
        assert blend.weights.sum() == pytest.approx(1)


def test_members_of_a_blend_learn_once_from_the_same_rows(tmp_path):
    book, song = trials_of("xd_x", tmp_path)
    made = []

    def new():
        made.append(Popularity())
        return made[-1]

    blending = Blending({"popularity": new}, seed=1)
    for trial in (book, song):
        blending(trial).fit(trial.train, trial.catalog)
    # As often as few people are asked for each validation, once for the rows of both.
    assert len(made) == 2 * MOST_TIMES + 1


def test_a_member_without_weight_does_not_learn_again(tmp_path):
    (trial,) = trials(random_set(tmp_path / "cf_r", np.random.default_rng(0)))
    blending = Blending({"popularity": Popularity, "item_knn": ItemKNN}, seed=1)
    blending.blends[""] = Blend(np.array([0, 1], dtype=np.float32))
    both = blending.fitted(trial, trial.train, trial.catalog)
    assert [type(model) for model in both.models] == [ItemKNN]
    assert list(both.blend.weights) == [1]


def test_a_blend_takes_hyperparameters_by_member(tmp_path):
    blending = contender("dapei", {"als": {"factors": 5}}, 7)
    als = blending.makers["als"]()
    assert (als.factors, als.seed) == (5, 7)
    assert {"dapei", "all_blended", "pairs_blended"} < set(contenders())


def test_settings_of_a_blend_may_be_changed_one_by_one():
    makers = contender("pairs_blended", {"spectral": {"factors": 20}}, 7).makers
    assert makers["spectral"]().factors == 20
    assert makers["spectral, lifted"]().factors == 1_000
    assert makers["ials"]().seed == 7


class Worse(ItemKNN):
    """Serves the second best first."""

    def candidates(self, row, k, within):
        best = ItemKNN.candidates(self, row, k, within)
        return Ranking(best.items[1:], best.scores[1:])


def test_served_figures_of_some_people_are_on_average_those_of_all(tmp_path):
    (trial,) = trials(random_set(tmp_path / "cf_r", np.random.default_rng(0)))

    def found(people, seed):
        figures, _ = measure_all([trial], "worse", lambda _: Worse(), people=people, seed=seed)
        return {one.form: one.estimate for one in figures if one.metric == "NDCG@20"}

    everybody, some = found(0, 0), [found(30, seed) for seed in range(20)]
    dense, served = everybody[DENSE].mean, everybody[SERVED].mean
    assert served < dense
    assert all(one[DENSE] == everybody[DENSE] for one in some)
    drawn = [one[SERVED].mean for one in some]
    # Of twenty draws of half the people the mean is off by a small part of what is lost.
    assert np.mean(drawn) == pytest.approx(served, abs=(dense - served) / 4)
    assert np.std(drawn) > 0


def test_served_figures_of_everybody_are_the_mean_of_their_lists(tmp_path):
    (trial,) = trials(random_set(tmp_path / "cf_r", np.random.default_rng(0)))
    model = Worse().fit(trial.train, trial.catalog)
    lists = served_lists(trial, model)
    by_hand = np.mean(
        [np.isin(wanted, one).mean() for one, wanted in zip(lists, trial.targets, strict=True)]
    )
    found = {(one.metric, one.form): one.estimate for one in measure(trial, "worse", Worse())}
    assert found["Recall@20", SERVED].mean == pytest.approx(by_hand)
