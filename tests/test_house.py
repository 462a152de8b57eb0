"""The rules of the house that a formatter and a type checker do not see."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("recsys", "data", "training", "serving")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
ORDER = [
    "errors",
    "ids",
    "events",
    "audience",
    "campaigns",
    "links",
    "catalog",
    "overlay",
    "histories",
    "offers",
    "commerce",
    "tiers",
    "watching",
    "interactions",
    "trust",
    "staying",
    "mix",
    "models",
    "blend",
    "facts",
    "features",
    "ranker",
    "limits",
    "reach",
    "bars",
    "candidates",
    "pipeline",
    "stages",
    "scenes",
    "rules",
    "rule_values",
    "ruled",
    "basket",
    "fresh",
    "claims",
    "soundness",
    "bundle",
    "bare",
    "bundle_files",
    "ladder",
    "steering",
    "sentences",
    "reasons",
    "recommend",
    "rule_preview",
    "golden",
    "lookback",
    "contenders",
    "evaluation",
]
# Rooms apart from the order, and all that each may import of `recsys`.
APART = {
    "blocked": set[str](),
    "controls": {"blocked", "errors", "ids", "events", "catalog", "histories"},
    "files": {"errors"},
    "kernels": set[str](),
    "kernels_best": {"kernels"},
    "once": set[str](),
    "kernels_acts": {"kernels"},
    "kernels_features": {"kernels"},
    "kernels_lists": {"kernels", "kernels_best"},
    "kernels_place": {"kernels"},
    "kernels_race": {"kernels"},
    "kernels_trees": {"kernels"},
    "kernels_vectors": {"kernels", "kernels_best"},
    "kernels_seen": {"kernels"},
    "arrays": set[str](),
    "pacing": set[str](),
    "signing": {"errors", "files"},
    "seals": {"errors", "files", "signing"},
    "pointer": {"errors", "files", "seals", "signing"},
    "metrics": {"errors", "ids", "events", "catalog", "histories"},
    "variety": {"ids", "links", "catalog", "metrics"},
    "race": {"ids", "events", "links", "catalog", "metrics", "variety"},
    "comparison": {"metrics"},
    "figures": {"comparison", "metrics", "race"},
}
MAY_IMPORT = {
    "recsys": {"recsys"},
    "data": {"recsys", "data"},
    "training": {"recsys", "data", "training"},
    "serving": {"recsys", "data", "serving"},
}
LEARNERS = {
    "implicit",
    "lightgbm",
    "matplotlib",
    "optuna",
    "rjieba",
    "sklearn",
    "threadpoolctl",
}
NOT_IN_A_WORKER = ("polars", "implicit", "sklearn", "lightgbm", "matplotlib", "optuna", "rjieba")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    told = ast.get_docstring(function) is not None
    doc = (first.end_lineno or 0) - first.lineno + 1 if told else 0
    return (function.end_lineno or 0) - function.lineno + 1 - doc


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_"):
                continue
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (f for f in node.body if isinstance(f, ast.FunctionDef))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_rooms_import_only_what_they_may(path):
    room = path.relative_to(ROOT).parts[0]
    rooms = {name.split(".")[0] for name in imported(tree_of(path))} & set(ROOMS)
    assert rooms <= MAY_IMPORT[room]


@pytest.mark.parametrize("path", sorted((ROOT / "recsys").rglob("*.py")), ids=named)
def test_the_library_imports_only_upwards(path):
    part = path.relative_to(ROOT / "recsys").parts[0].removesuffix(".py")
    names = [name.split(".") for name in imported(tree_of(path))]
    parts = {name[1] for name in names if name[0] == "recsys" and len(name) > 1} - {part}
    if part in APART:
        assert parts <= APART[part]
    elif part != "__init__":
        below = set(ORDER[: ORDER.index(part)])
        assert parts <= below | set(APART)


def test_a_serving_worker_loads_no_learner():
    code = (
        "import sys, serving.app, serving.start, dapei\n"
        f"bad = [m for m in {NOT_IN_A_WORKER} if m in sys.modules]\n"
        "sys.exit(f'loaded: {bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", FILES, ids=named)
def test_nothing_is_imported_inside_a_function_but_learners(path):
    for function in functions(tree_of(path)):
        inside = {name.split(".")[0] for name in imported(function)}
        assert inside <= LEARNERS, f"{function.name} imports {inside}"


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=named)
def test_a_file_is_at_most_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", FILES, ids=named)
def test_functions_are_short_and_take_few_parameters(path):
    for function in functions(tree_of(path)):
        arguments = function.args
        names = [a.arg for a in arguments.args + arguments.kwonlyargs if a.arg != "self"]
        assert length(function) <= 40, f"{function.name} has {length(function)} lines"
        # A command's parameters are its options, a kernel's its arrays.
        if not path.name.endswith("cli.py") and not path.name.startswith("kernels"):
            assert len(names) <= 6, f"{function.name} takes {len(names)} parameters"


def test_most_functions_are_very_short():
    lengths = [length(f) for path in FILES for f in functions(tree_of(path))]
    assert median(lengths) <= 10
    assert quantiles(lengths, n=10)[-1] <= 25


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_public_name_has_a_docstring(path):
    tree = tree_of(path)
    assert ast.get_docstring(tree), "the module has none"
    missing = [
        node.name
        for node in public(tree)
        if not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert missing == []


def test_there_is_exactly_one_broad_except():
    broad = []
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                if caught in ("everything", "Exception", "BaseException"):
                    broad.append(named(path))
    assert broad == ["recsys/pipeline.py"]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_pickle_anywhere(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\bimport (pickle|joblib|shelve|marshal)\b|allow_pickle=True", text)


def test_the_map_is_true():
    """docs/map.md is how one finds the file for a change."""
    made = subprocess.run(
        [sys.executable, "-c", "import runpy; print(runpy.run_path('scripts/map.py')['whole']())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ROOT / "docs/map.md").read_text().rstrip() == made.stdout.rstrip(), "run scripts/map.py"


def test_packages_are_all_declared():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    there = {str(path.parent.relative_to(ROOT)).replace("/", ".") for path in FILES}
    assert sorted(declared["packages"]) == sorted(there)


def test_the_lock_carries_hashes_and_no_address():
    text = (ROOT / "requirements.lock").read_text()
    assert "--hash=sha256:" in text
    assert "://" not in text
