"""Of some lists the record keeps what their scorer looked at; callers are told nothing of it."""

import pytest

from recsys.bundle_files import write
from recsys.lookback import kept_values
from recsys.pointer import publish
from recsys.signing import SigningKey
from tests.planted import FixedForAll
from tests.planted_scorers import POPULAR, ranked
from tests.serving.conftest import TABLE


def served(shop, share, wait_for):
    """A list as it was answered, and as the record has it."""
    key = SigningKey.load_or_make(shop.home.keys)
    bundle = ranked({"popular": FixedForAll(items=POPULAR)})
    write(bundle, shop.home.bundles, key, table=TABLE)
    publish(shop.home.bundles, bundle.bundle_id, key)
    service = shop.service(features_kept=share)
    with shop.client_of(service) as client:
        answer = client.post("/v1/lists", json={"scene": "home", "kinds": ["product"], "k": 3})
        list_id = answer.json()["list_id"]
        wait_for(lambda: service.record.served(list_id))
        return answer.json(), service.record.served(list_id)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_features_go_to_the_record_for_the_share_that_is_set(shop, share, wait_for):
    answer, kept = served(shop, share, wait_for)
    assert [one["item_id"] for one in answer["items"]] == ["item-1005", "item-1004", "item-1003"]
    assert "looked_at" not in answer
    assert (kept.looked_at is not None) == (share == 1.0)
    if kept.looked_at is not None:
        assert len(kept_values(kept.looked_at)) == 3
