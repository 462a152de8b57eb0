import pytest

from data.home import Home
from recsys.errors import ConfigError
from serving.settings import Settings


def test_a_shop_without_configuration_gets_the_defaults():
    assert Settings.of({}) == Settings()


def test_every_setting_can_be_written_in_the_file(tmp_path):
    (tmp_path / "dapei.toml").write_text(
        '[serve]\nlanguage = "zh"\npoll_s = 1\nhistory_events = 50\n'
        "max_waiting_events = 2000\nstop_s = 3\n"
    )
    said = Settings(
        language="zh", poll_s=1.0, history_events=50, max_waiting_events=2_000, stop_s=3
    )
    assert Settings.of(Home(tmp_path).config()) == said


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"langage": "zh"}, "langage: Extra inputs are not permitted"),
        ({"language": "fr"}, "got 'fr'; allowed: en, zh"),
        ({"poll_s": 0.0}, "poll_s: Input should be greater than or equal to 0.05"),
        ({"poll_s": float("nan")}, "poll_s"),
        ({"history_events": "300"}, "history_events: Input should be a valid integer"),
        ({"max_waiting_events": 10}, "max_waiting_events"),
        ({"stop_s": True}, "stop_s"),
        (5, "Input should be an object"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(said, why):
    with pytest.raises(ConfigError, match=r"\[serve\] of dapei.toml") as caught:
        Settings.of({"serve": said})
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "url", ["redis://h:6379/0", "rediss://:word@h/1", "unix:///run/redis.sock"]
)
def test_the_address_of_redis_is_taken(url):
    assert Settings.of({"hot": {"url": url}}).hot.url == url


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"url": "http://:word@h"}, "no address of a Redis server; allowed: redis://host:port/0"),
        ({"adress": "redis://h"}, "adress: Extra inputs are not permitted"),
        ({"url": 5}, "url: Input should be a valid string"),
    ],
)
def test_a_wrong_address_of_redis_is_refused_without_telling_its_password(said, why):
    with pytest.raises(ConfigError, match=r"\[hot\] of dapei.toml") as caught:
        Settings.of({"hot": said})
    assert why in str(caught.value)
    assert "word" not in str(caught.value)
