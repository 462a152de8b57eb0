from datetime import UTC, datetime, timedelta

import pytest

from data.home import Home
from data.record import Record
from recsys.errors import ConfigError, StoreUnavailable
from tests.serving.running import running
from training.config import TrainConfig
from training.sample_goods import START
from training.simulation.over_http import Far
from training.simulation.world import Size, World, lived

AT = datetime(2026, 8, 3, tzinfo=UTC)


@pytest.mark.nightly
def test_people_live_against_a_service_at_the_time_they_live_in(tmp_path):
    home = Home(tmp_path / "home")
    world = World.drawn(5, Size(n_people=25, is_small=True))
    with running(home.root, options=("--simulated-clock",)) as served:
        shop = Far(f"http://127.0.0.1:{served.port}", home, TrainConfig().unscored)
        days = lived(world, shop, 3, learn_every=3) + lived(world, shop, 1, learn_every=9)
        shop.close()
    assert days[-1].examined > 0
    record = Record.of(home)
    lists = [one for one in record.newest_served(1_000) if one.user_id is not None]
    record.close()
    assert lists
    assert all(timedelta(days=3) <= one.at - START < timedelta(days=4) for one in lists)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "https://127.0.0.1", "http://"])
def test_an_address_that_is_none_is_refused(url, tmp_path):
    with pytest.raises(ConfigError, match="url is no address"):
        Far(url, Home(tmp_path), TrainConfig())


def test_a_service_that_is_not_there_is_told(tmp_path):
    shop = Far("http://127.0.0.1:9", Home(tmp_path), TrainConfig())
    with pytest.raises(StoreUnavailable, match="does not answer"):
        shop.put_items(World.drawn(1, Size(n_people=1, is_small=True)).market.placed[0][:1], AT)
