"""What dapei.toml may say of the service; every default is here and only here."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from recsys.errors import ConfigError
from recsys.sentences import LANGUAGES
from serving.schemas import wrong

T = TypeVar("T", bound=BaseModel)

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class HotSettings(BaseModel):
    """Where copies of histories are kept for fast reads.

    Parameters
    ----------
    url
        Of a Redis server that several workers share; None: nowhere, the record is read.
    """

    model_config = _STRICT

    url: str | None = None

    @field_validator("url")
    @classmethod
    def _is_redis(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
            # Not the url itself: there may be a password in it.
            raise ValueError("no address of a Redis server; allowed: redis://host:port/0")
        return url


class LimitSettings(BaseModel):
    """How much there may be in a minute on each worker; 0 is no limit.

    Parameters
    ----------
    user_requests, user_events, user_exports
        Of one person, by user token; an export takes a program of its own some seconds.
    key_requests
        Of one server key; high, to stop a loop that ran wild and nothing else.
    address_requests
        Of one address, of all user tokens from there: a whole quarter may share one.
    address_refusals
        Of one address, without a key or token that holds.
    proxies
        Networks of the shop's own proxies, the only ones whose `X-Forwarded-For` is believed.
    learn_unproven
        Whether to learn from what users tell without the id of a list that they were given.
    """

    model_config = _STRICT

    user_requests: int = Field(default=600, ge=0, le=10_000_000)
    user_events: int = Field(default=240, ge=0, le=10_000_000)
    user_exports: int = Field(default=4, ge=0, le=10_000_000)
    key_requests: int = Field(default=600_000, ge=0, le=100_000_000)
    address_requests: int = Field(default=60_000, ge=0, le=100_000_000)
    address_refusals: int = Field(default=600, ge=0, le=10_000_000)
    proxies: list[str] = []
    learn_unproven: bool = False

    @field_validator("proxies")
    @classmethod
    def _are_networks(cls, proxies: list[str]) -> list[str]:
        for one in proxies:
            try:
                ip_network(one)
            except ValueError as cause:
                raise ValueError(
                    f"no network, got {one!r:.60}; allowed: like 10.0.0.0/8"
                ) from cause
        return proxies


class TokenSettings(BaseModel):
    """What user tokens must say.

    Parameters
    ----------
    audience
        Whom they are for, such as the mini-program's app id; another shop's open nothing here.
    longest_s
        Seconds that one may be good for.
    """

    model_config = _STRICT

    audience: str = Field(default="dapei", min_length=1, max_length=64)
    longest_s: int = Field(default=7_200, ge=60, le=86_400)


class Settings(BaseModel):
    """How one service behaves.

    Parameters
    ----------
    language
        Of the reasons in a list: "en" or "zh".
    poll_s
        Seconds between two looks for a new bundle, new histories and items switched on or off.
    history_events
        How many of a person's newest events a list is made from; orders count beyond it.
    remembered_people
        People whose histories a worker keeps at hand; each takes some 30 kB at the most.
    features_kept
        Share of the lists that are kept with what their scorer looked at, to compare later.
    max_waiting_events
        Events that may wait for the disk before a worker answers "try again later".
    stop_s
        Seconds that requests under way get when the service stops.
    hot, limits, tokens
        The tables `[hot]`, `[limits]` and `[tokens]`.
    """

    model_config = _STRICT

    language: str = "en"
    poll_s: float = Field(default=0.5, ge=0.05, le=60)
    history_events: int = Field(default=300, ge=1, le=10_000)
    remembered_people: int = Field(default=2_000, ge=1, le=1_000_000)
    features_kept: float = Field(default=0.01, ge=0, le=1)
    max_waiting_events: int = Field(default=50_000, ge=1_000, le=10_000_000)
    stop_s: int = Field(default=8, ge=1, le=600)
    hot: HotSettings = HotSettings()
    limits: LimitSettings = LimitSettings()
    tokens: TokenSettings = TokenSettings()

    @field_validator("language")
    @classmethod
    def _is_spoken(cls, language: str) -> str:
        if language not in LANGUAGES:
            raise ValueError(f"got {language!r:.40}; allowed: {', '.join(LANGUAGES)}")
        return language

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """The tables of a whole configuration that are the service's.

        Raises
        ------
        ConfigError
            A key is unknown or its value is not allowed.
        """
        tables: dict[str, type[BaseModel]] = {
            "hot": HotSettings,
            "limits": LimitSettings,
            "tokens": TokenSettings,
        }
        parts = {name: _table(config, name, shape) for name, shape in tables.items()}
        return _table(config, "serve", cls).model_copy(update=parts)


def _table(config: Mapping[str, Any], name: str, shape: type[T]) -> T:
    try:
        return shape.model_validate(config.get(name, {}))
    except ValidationError as cause:
        raise ConfigError(f"[{name}] of dapei.toml: {wrong(cause)}") from cause
