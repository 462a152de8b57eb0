"""What each protocol asks, on sets small enough to know."""

import numpy as np
import polars as pl
import pytest

from recsys.catalog import Kind
from recsys.events import EventType
from tests.training.small_sets import (
    XD_ABOUT,
    asked,
    mb_set,
    pairs,
    retail_set,
    sv_set,
    trials_of,
    written,
    xd_set,
)
from training import bench_pairs
from training.bench_across import shared_below
from training.bench_pairs import a_fifth
from training.bench_sets import protocol_of, trials
from training.bench_tables import BrokenSet, NothingToAsk
from training.bench_trial import NEW


def events_of(rows, person):
    """Item and type of each event of a person, in order."""
    events = rows[person].acts.events
    return [
        (int(item), EventType(int(type)).word)
        for item, type in zip(events.item, events.type, strict=True)
    ]


def test_pairs_hide_what_train_holds(tmp_path):
    (trial,) = trials_of("cf_x", tmp_path)
    assert len(trial.catalog) == 3
    assert asked(trial) == [[2], [2], [1]]
    assert [one.tolist() for one in trial.excluded] == [[0, 1], [0], [0, 2]]
    assert events_of(trial.known, 0) == [(0, "view"), (1, "view")]
    assert trial.known[0].weights.tolist() == [1, 1]
    assert trial.metrics == ("Recall@20", "NDCG@20")


def test_the_deepest_behaviour_with_a_test_is_the_target(tmp_path):
    trial, discovery = trials_of("mb_x", tmp_path)
    assert asked(trial) == [[2], [1]]
    assert [one.tolist() for one in trial.excluded] == [[3, 4], []]
    assert trial.groups[NEW].tolist() == [True, False]
    assert events_of(trial.known, 1) == [(0, "view"), (1, "view"), (1, "cart")]
    assert asked(discovery) == [[2]]
    assert [one.tolist() for one in discovery.excluded] == [[0, 3, 4]]
    assert events_of(discovery.known, 0) == events_of(trial.known, 0)
    assert discovery.train is trial.train


def test_without_pairs_of_its_own_the_last_purchase_is_the_validation(tmp_path):
    trial, discovery = trials_of("mb_x", tmp_path)
    cut = trial.validation(1)
    assert asked(discovery.validation(1)) == [one for one in asked(cut) if one == [4]]
    assert asked(cut) == [[4], [2]]
    assert [one.tolist() for one in cut.excluded] == [[3], [3]]


def test_pairs_meant_for_tuning_are_taken_out_of_train(tmp_path):
    folder = mb_set(tmp_path / "mb_y")
    written(tmp_path / "more", valid_buy_x=pairs((3, 34)))
    (tmp_path / "more/valid_buy_x.parquet").rename(folder / "valid_buy_x.parquet")
    trial, _ = trials(folder)
    cut = trial.validation(1)
    assert asked(cut) == [[3]]
    assert cut.excluded[0].tolist() == [2]
    bought = cut.train.only(frozenset({EventType.ORDER}))
    assert [len(bought[person]) for person in range(3)] == [2, 0, 1]


def test_a_behaviour_nobody_knows_breaks_the_set(tmp_path):
    folder = written(tmp_path / "mb_z", train_wink=pairs((1, 2)), test_wink=pairs((1, 3)))
    with pytest.raises(BrokenSet, match=r"got train_wink; allowed: .*cart"):
        trials(folder)


FUNNEL = {
    "user": [1, 1, 1, 1, 2, 2, 2, 2],
    "item": [5, 5, 6, 7, 5, 5, 7, 5],
    "behavior": [1, 4, 1, 4, 4, 1, 4, 4],
    "date": [20260101, 20260102, 20260103, 20260103, 20260101, 20260103, 20260104, 20260105],
}


def test_of_dated_acts_the_last_purchase_is_held_out_with_its_day(tmp_path):
    folder = written(tmp_path / "mb_dated", events=FUNNEL)
    (folder / "ABOUT.md").write_text("behavior 1 click 57,917, 2 collect 5,529, 4 buy 6,701")
    (trial,) = trials(folder)
    # Person 2 buys item 5 again, which cannot be asked where what was bought is not ranked.
    assert asked(trial) == [[2]]
    assert events_of(trial.known, 0) == [(0, "view"), (0, "order")]
    assert trial.excluded[0].tolist() == [0]
    assert trial.groups[NEW].tolist() == [True]


def test_numbers_of_behaviours_nobody_named_break_the_set(tmp_path):
    with pytest.raises(BrokenSet, match="got 1; allowed: .* numbers that its ABOUT.md names"):
        trials(written(tmp_path / "mb_dated", events=FUNNEL))


def test_several_behaviours_need_a_test(tmp_path):
    with pytest.raises(BrokenSet, match="no train_X with a test_X and no events, got train_buy"):
        trials(written(tmp_path / "mb_half", train_buy=pairs((1, 2))))


def test_watching_is_told_in_order_and_long_views_not_seen_before_are_found(tmp_path):
    (trial,) = trials_of("sv_x", tmp_path)
    assert asked(trial) == [[4], [5]]
    first = [(3, "play"), (0, "play"), (1, "play"), (1, "like"), (2, "play")]
    assert events_of(trial.known, 0) == first
    assert trial.excluded[0].tolist() == [0, 1, 2, 3]
    assert trial.kind is Kind.VIDEO


def test_a_long_view_weighs_more_than_another(tmp_path):
    (trial,) = trials_of("sv_x", tmp_path)
    weight = dict(
        zip(*(a.tolist() for a in (trial.known[0].items, trial.known[0].weights)), strict=True)
    )
    assert weight[2] == weight[3] > weight[0] > 0


def test_videos_carry_their_tags_creators_and_seconds(tmp_path):
    (trial,) = trials_of("sv_x", tmp_path)
    catalog = trial.catalog
    assert catalog.tag_names.texts.all() == ["1", "2", "3"]
    assert catalog.duration_s[0] == 20
    assert np.isnan(catalog.duration_s[5])
    assert catalog.creator[0] == catalog.creator[2] != catalog.creator[3]


def test_watching_without_a_log_is_asked_like_pairs(tmp_path):
    def watched(*rows):
        return {"user_id": [a for a, _ in rows], "video_id": [b for _, b in rows]}

    folder = written(
        tmp_path / "sv_p", positives_train=watched((1, 5)), positives_test=watched((1, 6))
    )
    (trial,) = trials(folder)
    assert (asked(trial), trial.excluded[0].tolist()) == ([[1]], [0])
    assert trial.known[0].weights.tolist() == [1]
    assert events_of(trial.known, 0) == [(0, "play")]


def test_a_history_without_watches_breaks_the_set(tmp_path):
    folder = sv_set(tmp_path / "sv_y")
    written(tmp_path / "new", user_history={"user_id": [0], "hour": [3]})
    (folder / "user_history_until_0101.parquet").unlink()
    (tmp_path / "new/user_history.parquet").rename(folder / "user_history.parquet")
    with pytest.raises(BrokenSet, match="no list of watched videos, got user_id, hour"):
        trials(folder)


def test_shared_people_keep_one_row_and_each_domain_is_ranked_alone(tmp_path):
    book, song = trials_of("xd_x", tmp_path)
    assert (book.part, song.part) == ("book_song", "song_book")
    assert (book.kind, song.kind) == (Kind.PRODUCT, Kind.VIDEO)
    assert book.train is song.train
    assert len(book.catalog.of_kind(Kind.PRODUCT)) == len(book.catalog.of_kind(Kind.VIDEO)) == 5
    # Person 19 has song 1 only, persons 16 and 17 a book only.
    assert events_of(book.known, 0) == [(6, "play")]
    assert asked(book) == [[1, 4]]
    assert asked(song) == [[5], [6]]
    assert set(book.train.weights.tolist()) == {1.0}


def test_people_of_one_domain_are_not_joined(tmp_path):
    book, _ = trials_of("xd_x", tmp_path)
    kinds = [set(book.catalog.kind[book.train[p].items].tolist()) for p in range(len(book.train))]
    both = [person for person, own in enumerate(kinds) if len(own) == 2]
    assert both == list(range(16))


def test_in_ten_folds_every_shared_person_loses_each_domain_once(tmp_path):
    book, _ = trials_of("xd_x", tmp_path)
    folds = list(book.folds(3))
    assert len(folds) == 20
    for part in ("book_song cv", "song_book cv"):
        mine = [fold for fold in folds if fold.part == part]
        assert sum(len(fold.known) for fold in mine) == 20
        wanted = {Kind.PRODUCT.value, Kind.VIDEO.value} - {mine[0].kind.value}
        for fold in mine:
            assert set(fold.catalog.kind[fold.known.items].tolist()) <= wanted


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("User ids 0..2178 are the SAME persons", 2_179),
        ("ids 0-99 are shared by both", 100),
        ("The same people are 0 to 1,999.", 2_000),
        ("People below 500 are shared.", 500),
        ("shared users have ids below 500", 500),
    ],
)
def test_who_is_shared_is_read_from_the_about(text, number):
    assert shared_below(text, "xd_x") == number


@pytest.mark.parametrize("about", ["", XD_ABOUT.replace("SAME", "other")])
def test_without_a_word_on_shared_people_the_set_is_broken(tmp_path, about):
    with pytest.raises(BrokenSet, match="does not say which people are shared"):
        trials(xd_set(tmp_path / "xd_y", about))


def test_the_future_basket_is_found_and_nothing_is_hidden(tmp_path):
    (trial,) = trials_of("nbr_x", tmp_path)
    assert asked(trial) == [[0, 2], [3]]
    assert [len(one) for one in trial.excluded] == [0, 0]
    orders = trial.known[0].acts.events.order
    assert orders[0] == orders[1] != orders[2]
    assert 0 not in orders


def test_the_last_known_basket_is_the_validation_of_baskets(tmp_path):
    (trial,) = trials_of("nbr_x", tmp_path)
    cut = trial.validation(1)
    assert asked(cut) == [[0]]
    assert events_of(cut.train, 0) == [(0, "order"), (1, "order")]


def test_without_a_word_on_the_future_it_is_the_last_basket(tmp_path):
    rows = {"user": [1, 1, 2], "basket_no": [0, 1, 0], "item": [5, 6, 7]}
    (trial,) = trials(written(tmp_path / "nbr_y", baskets=rows))
    assert asked(trial) == [[1], [2]]


def test_sessions_are_continued_by_one_item(tmp_path):
    (trial,) = trials_of("session_x", tmp_path)
    assert asked(trial) == [[1], [0], [3]]
    assert events_of(trial.known, 1) == [(2, "view"), (0, "view")]
    assert events_of(trial.train, 0) == [(1, "view"), (0, "view"), (1, "view")]
    assert trial.metrics == ("Recall@20", "MRR@20")


def test_sessions_may_come_one_row_a_click(tmp_path):
    train = {"session_id": ["a", "b", "a"], "item_id": [1, 2, 3], "time": [5, 1, 2]}
    test = {"session_id": [1, 1, 1], "item_id": [3, 1, 2]}
    (trial,) = trials(written(tmp_path / "session_y", train=train, test=test))
    assert events_of(trial.train, 0) == [(2, "view"), (0, "view")]
    assert events_of(trial.known, 0) == [(2, "view"), (0, "view")]
    assert asked(trial) == [[1]]


def test_invoices_are_cut_at_four_fifths_of_the_time(tmp_path):
    basket, again = trials_of("retail_x", tmp_path)
    codes = [*(f"code-{n:02}" for n in range(12)), "code-77"]
    assert [[codes[i] for i in one] for one in asked(basket)] == [["code-00", "code-77"]]
    assert [[codes[i] for i in one] for one in asked(again)] == [["code-00", "code-03"]]
    assert len(basket.train[0].acts.events) == 13


def test_what_was_given_back_is_no_longer_bought(tmp_path):
    _, again = trials_of("retail_x", tmp_path)
    assert 5 not in again.among[0]
    assert len(again.among[0]) == 11


def test_invoices_without_items_are_skipped(tmp_path):
    rows = {"customer": [1], "date": ["2026-01-01"], "dollars": [3.5]}
    with pytest.raises(NothingToAsk, match="has no items in transactions"):
        trials(written(tmp_path / "retail_y", transactions=rows))


def test_two_files_of_invoices_count_a_shared_line_once(tmp_path):
    folder = retail_set(tmp_path / "retail_z")
    (folder / "copy.parquet").write_bytes((folder / "y2026.parquet").read_bytes())
    basket, _ = trials(folder)
    assert len(basket.train[0].acts.events) == 13


@pytest.mark.parametrize(
    ("name", "protocol"), [("cf_never_seen", "cf"), ("session_1", "session"), ("cfx", None)]
)
def test_the_prefix_is_the_protocol(tmp_path, name, protocol):
    assert protocol_of(tmp_path / name) == protocol


def test_a_folder_of_another_name_asks_nothing(tmp_path):
    (tmp_path / "zh_words").mkdir()
    with pytest.raises(NothingToAsk, match=r"names no protocol; allowed: a prefix of cf_, mb_"):
        trials(tmp_path / "zh_words")


def test_a_table_that_cannot_be_read_is_told(tmp_path):
    folder = tmp_path / "cf_y"
    folder.mkdir()
    (folder / "train.parquet").write_text("no parquet")
    (folder / "test.parquet").write_text("no parquet")
    with pytest.raises(BrokenSet, match="cf_y cannot be read"):
        trials(folder)


def test_a_missing_table_is_told(tmp_path):
    with pytest.raises(BrokenSet, match="got train; allowed: .* with test in its name"):
        trials(written(tmp_path / "cf_z", train=pairs((1, 1))))


def test_a_missing_column_is_told(tmp_path):
    folder = written(tmp_path / "cf_w", train={"user": [1], "what": [1]}, test=pairs((1, 1)))
    with pytest.raises(BrokenSet, match="no column for the item, got user, what"):
        trials(folder)


def test_ids_may_be_texts_and_tables_csv(tmp_path):
    folder = tmp_path / "cf_csv"
    folder.mkdir()
    (folder / "train.csv").write_text("user_id,item_id\nann,x\nbob,y\n")
    (folder / "test.csv").write_text("user_id,item_id\nann,y\n")
    (trial,) = trials(folder)
    assert (asked(trial), trial.excluded[0].tolist()) == ([[1]], [0])


def test_columns_may_be_written_in_any_way(tmp_path):
    train = {"UserID": [1, 2], "itemId": [5, 6], "rating": [3.0, 4.0]}
    folder = written(tmp_path / "cf_v", train=train, test=pairs((1, 6)), train_items={"x": [1]})
    (trial,) = trials(folder)
    assert asked(trial) == [[1]]


def test_baskets_are_found_by_their_columns(tmp_path):
    rows = {"user_id": [1, 1], "order_id": [0, 1], "product_id": [5, 6]}
    (trial,) = trials(written(tmp_path / "nbr_z", aisles={"aisle": [1]}, orders=rows))
    assert asked(trial) == [[1]]


def test_a_set_without_baskets_is_broken(tmp_path):
    with pytest.raises(BrokenSet, match="has no baskets, got aisles; allowed: a table with"):
        trials(written(tmp_path / "nbr_w", aisles={"aisle": [1]}))


def test_people_of_two_domains_have_numbers(tmp_path):
    folder = xd_set(tmp_path / "xd_z")
    for path in folder.glob("*.parquet"):
        pl.read_parquet(path).cast({"user": pl.String}).write_parquet(path)
    with pytest.raises(BrokenSet, match="has users like '0'; allowed: whole numbers"):
        trials(folder)


def test_everybody_with_two_or_more_loses_a_fifth():
    persons = np.repeat([3, 5, 8], [1, 2, 10])
    hidden = a_fifth(persons, 4)
    assert np.bincount(persons[hidden], minlength=9)[[3, 5, 8]].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(hidden, a_fifth(persons, 4))


def test_what_is_hidden_of_those_not_asked_is_not_learned_either(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_pairs, "MOST_ASKED", 2)
    train = [(person, item) for person in range(6) for item in range(2 + person)]
    test = [(person, 9) for person in range(6)]
    folder = written(tmp_path / "cf_small", train=pairs(*train), test=pairs(*test))
    (trial,) = trials(folder)
    cut = trial.validation(1)
    assert len(cut.known) == 2
    sizes = np.diff(trial.train.offsets)
    np.testing.assert_array_equal(sizes - np.diff(cut.train.offsets), np.ceil(0.2 * sizes))
