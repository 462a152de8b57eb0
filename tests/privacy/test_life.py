"""The guide of a person's life: each of its commands, run in its order against a service."""

import re
import subprocess
import sys

import orjson

from data.home import Home
from data.record import Record
from recsys.bundle_files import write
from recsys.catalog import Catalog, Item, Kind
from recsys.models.tags import TagProfile
from recsys.pointer import publish
from recsys.signing import SigningKey
from tests.planted import NOW, bundle_of
from tests.serving.running import ROOT, start, until
from tests.test_guides import page

MARK = "--- next ---"
STEPS = re.findall(
    r"^```bash\n(.*?)^```\n(?:```text\n(.*?)^```)?", page("a_persons_life"), re.M | re.S
)


def shop_in(folder):
    """The item of the guide, and others with and without its tags."""
    home = Home(folder)
    items = [
        Item(
            item_id=f"product-{1118 + n}",
            kind=Kind.PRODUCT,
            title=f"商品{n}",
            tags=("露营",) if n % 3 == 0 else ("户外",),
        )
        for n in range(12)
    ]
    key = SigningKey.load_or_make(home.keys)
    bundle = bundle_of(Catalog.of(items), {"tags": TagProfile()})
    write(bundle, home.bundles, key)
    publish(home.bundles, bundle.bundle_id, key)
    record = Record.of(home)
    record.put_items(items, at=NOW)
    record.close()
    return home


def test_every_command_does_what_the_guide_says(tmp_path):
    home = shop_in(tmp_path / "home")
    # Before the service starts there is a key, so the first block is run before it.
    said = [bash.replace(".dapei/demo", str(home.root)) for bash, _ in STEPS]
    dapei = f'dapei() {{ "{sys.executable}" -m dapei "$@"; }}'
    served = start(home.root)
    try:
        until(served.is_ready, 60)
        blocks = [part.replace("127.0.0.1:8000", f"127.0.0.1:{served.port}") for part in said]
        # A key that was just made is known within two seconds.
        script = "\n".join([dapei, "set -e", blocks[0], "sleep 2"])
        script += "".join(f"\necho; echo '{MARK}'\n{block}" for block in blocks[1:])
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=900
        )
    finally:
        served.kill()
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split(MARK)
    assert len(answers) == len(STEPS)
    for (bash, expected), answer in zip(STEPS, answers, strict=True):
        for line in expected.splitlines():
            assert line in answer, f"{bash}\nexpected: {line}\ngot: {answer}"


def test_the_item_of_the_guide_is_one_of_the_sample_shop():
    """So that who follows the page with `make demo` sees what it says."""
    lines = (ROOT / "data/sample/products.jsonl").read_text(encoding="utf-8").splitlines()
    (found,) = [line for line in lines if '"product-1121"' in line]
    assert "露营" in orjson.loads(found)["tags"]
    assert any('"product-1122"' in line for line in lines)


def test_every_step_of_the_guide_is_held_to_something():
    assert len(STEPS) >= 15
    assert [bash for bash, expected in STEPS[1:] if not expected] == []
