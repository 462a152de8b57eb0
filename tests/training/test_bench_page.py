"""The page of benchmark figures says what was measured, on what, and how to do it again."""

from training.bench_page import commit, machine, page


def row(metric="Recall@20", model="als", form="dense", value=0.5, **more):
    said = {"set": "cf_x", "model": model, "seed": 1, "people": 0, "parameters": {}, "form": form}
    said |= {"metric": metric, "value": value, "low": 0.4, "high": 0.6, "n": 3, "seconds": 1.25}
    said |= {"published": None, "published_by": None, "list_ms": 0.5, "peak_mb": 1_234}
    return said | {"failed": None} | more


def both(**said):
    return [row(**said), row(form="served", **said)]


def lines(*rows):
    return page(list(rows), "dapei bench models").splitlines()


def test_a_line_a_model_the_best_first():
    told = lines(*both(), *both(model="knn", value=0.7))
    assert told[-2] == "| knn | 0.7000 ± 0.1000 | 0.7000 | 1.2 | 0.50 | 1,234 |"
    assert told[-1].startswith("| als | 0.5000")


def test_every_line_of_a_table_has_as_many_cells():
    best = {"published": 0.9, "published_by": "somebody"}
    table = [line for line in lines(*both(), *both(metric="NDCG@20", **best)) if line[:1] == "|"]
    assert len({line.count("|") for line in table}) == 1
    assert "| best known |  | | 0.9000 somebody | | | | |" in table


def test_many_metrics_take_several_tables():
    rows = [one for number in range(5) for one in both(metric=f"HR@{number + 1}")]
    assert sum(line.startswith("| model") for line in lines(*rows)) == 2


def test_failures_and_hyperparameters_are_told():
    failed = row(model="ease", value=None, metric=None, failed="not done after 3 s")
    told = "\n".join(lines(*both(parameters={"factors": 8}), failed))
    assert "ease failed: not done after 3 s." in told
    assert "as shipped, but for als with {'factors': 8}." in told


def test_a_figure_of_one_person_has_no_interval():
    assert "| als | 0.5000 | 0.5000 | 1.2" in lines(*both(low=None, high=None))[-1]


def test_the_page_says_on_what_and_how():
    told = "\n".join(lines(*both()))
    assert f"`dapei bench models` on {machine()}, commit {commit()}, seed 1." in told
    assert "cores of" in machine()


def test_who_orders_impressions_has_a_table_apart():
    told = lines(*both(), row(metric="GAUC like", model="ranker"))
    assert sum(line.startswith("| model") for line in told) == 2
    assert told[-1] == "| ranker | 0.5000 ± 0.1000 |  | 1.2 | 0.50 | 1,234 |"


def test_the_page_says_for_how_many_lists_were_made():
    assert "request; ±" in lines(*both())[2]
    assert "request, for 4,000 people drawn where a set has more" in lines(*both(people=4_000))[2]
