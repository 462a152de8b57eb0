"""Tiny sets of every protocol, small enough to know every answer by hand."""

from datetime import datetime, timedelta

import polars as pl

from training.bench_sets import trials


def written(folder, **tables):
    """A folder with tables given as columns."""
    folder.mkdir()
    for name, columns in tables.items():
        pl.DataFrame(columns, strict=False).write_parquet(folder / f"{name}.parquet")
    return folder


def pairs(*rows):
    """A table of (user, item)."""
    return {"user": [user for user, _ in rows], "item": [item for _, item in rows]}


def cf_set(folder):
    """Item 7 is everybody's, so popularity puts 8 before 9, by position, for who has 7 only."""
    return written(
        folder,
        train=pairs((50, 7), (50, 8), (60, 7), (70, 7), (70, 9)),
        test=pairs((50, 9), (60, 9), (70, 8)),
    )


def mb_set(folder):
    """Person 2 buys what they carted, person 1 something new to them."""
    return written(
        folder,
        train_view=pairs((1, 31), (2, 31), (2, 32), (3, 33), (3, 34), (3, 35)),
        train_cart=pairs((2, 32), (3, 33)),
        train_buy=pairs((1, 34), (3, 34), (1, 35), (3, 33)),
        test_view=pairs((1, 32)),
        test_buy=pairs((1, 33), (2, 32)),
    )


def sv_set(folder):
    """Person 0 saw 4, 5 and 6, liked 5, and viewed 6 and once, long ago, 7 for long."""
    return written(
        folder,
        user_history_until_0101={
            "user_id": [0, 1],
            "watch_seq": [[4, 5, 6], [5, 8]],
            "long_watch_seq": [[7, 6], []],
            "like_seq": [[5], []],
        },
        log_valid_0102={
            "user_id": [0, 0, 0, 1, 2],
            "video_id": [8, 6, 9, 9, 9],
            "long_view": [1, 1, 0, 1, 1],
        },
        videos={
            "video_id": [4, 5, 6, 7, 8, 9],
            "author_id": [1, 1, 1, 2, 2, 2],
            "video_duration": [20_000.0] * 5 + [None],
            "tag": ["1,2", "2", None, "3", "3", "3"],
        },
    )


XD_ABOUT = "Some words. User ids 0..19 are the SAME persons in both domains; larger ids are own."


def xd_set(folder, about=XD_ABOUT):
    """Shared people 0 to 19: even ones like song 0 and book 0, odd ones song 1 and book 1."""
    shared = range(20)
    book = [(p, p % 2) for p in shared if p not in (18, 19)]
    song = [(p, p % 2) for p in shared if p not in (16, 17)]
    own = [(20 + n, 2 + n % 3) for n in range(9)]
    written(
        folder,
        book_song_train=pairs(*book, *own),
        book_song_valid=pairs((18, 0)),
        book_song_test=pairs((19, 1), (19, 4)),
        song_book_train=pairs(*song, *own),
        song_book_test=pairs((16, 0), (17, 1)),
    )
    (folder / "ABOUT.md").write_text(about)
    return folder


def nbr_set(folder):
    """Person 1 buys 10 again, person 2 something that nobody bought before."""
    rows = [(1, 0, 10), (1, 0, 11), (1, 1, 10), (1, 2, 10), (1, 2, 12), (2, 0, 12), (2, 1, 13)]
    users, baskets, items = zip(*rows, strict=True)
    future = [(user, basket) in ((1, 2), (2, 1)) for user, basket, _ in rows]
    return written(
        folder,
        baskets={"user": users, "basket_no": baskets, "item": items, "is_future": future},
    )


def session_set(folder):
    """Item 3 is clicked most, item 2 second."""
    return written(
        folder,
        train_sessions={"session": [0, 1, 2], "items": [[3, 2, 3], [3, 2], [4, 3]]},
        test_prefix_target={"prefix": [[2], [4, 2], [2]], "target": [3, 2, 9]},
    )


def retail_set(folder):
    """Ten days: person 1 owns twelve items; on the last two days they buy the first of them."""
    start = datetime(2026, 1, 1, 9)
    rows = [(f"A{n}", f"code-{n:02}", 1, start + timedelta(hours=n), 1) for n in range(12)]
    rows += [
        ("A3b", "code-03", 1, start + timedelta(hours=30), 1),
        ("C1", "code-05", -1, start + timedelta(days=2), 1),
        ("D1", "code-00", 2, start + timedelta(days=9), 1),
        ("D1", "code-77", 2, start + timedelta(days=9), 1),
        ("D2", "code-03", 1, start + timedelta(days=10), 1),
        ("D3", "code-03", 1, start + timedelta(days=10), 9),
    ]
    names = ("invoice", "stock_code", "quantity", "invoice_date", "customer_id")
    return written(folder, y2026=dict(zip(names, zip(*rows, strict=True), strict=True)))


ALL = {
    "cf_x": cf_set,
    "mb_x": mb_set,
    "sv_x": sv_set,
    "xd_x": xd_set,
    "nbr_x": nbr_set,
    "session_x": session_set,
    "retail_x": retail_set,
}


def trials_of(name, tmp_path):
    """The trials of one of them."""
    return trials(ALL[name](tmp_path / name))


def asked(trial):
    """Targets as lists of positions."""
    return [targets.tolist() for targets in trial.targets]
