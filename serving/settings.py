"""What `[serve]` and `[hot]` of dapei.toml may say; every default is here and only here."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from recsys.errors import ConfigError
from recsys.reasons import LANGUAGES
from serving.schemas import wrong

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
        People whose histories a worker keeps at hand; each takes some 20 kB at the most.
    features_kept
        Share of the lists that are kept with what their scorer looked at, to compare later.
    max_waiting_events
        Events that may wait for the disk before a worker answers "try again later".
    stop_s
        Seconds that requests under way get when the service stops.
    hot
        The table `[hot]`.
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

    @field_validator("language")
    @classmethod
    def _is_spoken(cls, language: str) -> str:
        if language not in LANGUAGES:
            raise ValueError(f"got {language!r:.40}; allowed: {', '.join(LANGUAGES)}")
        return language

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """The tables `[serve]` and `[hot]` of a whole configuration.

        Raises
        ------
        ConfigError
            A key is unknown or its value is not allowed.
        """
        try:
            hot = HotSettings.model_validate(config.get("hot", {}))
        except ValidationError as cause:
            raise ConfigError(f"[hot] of dapei.toml: {wrong(cause)}") from cause
        try:
            return cls.model_validate(config.get("serve", {})).model_copy(update={"hot": hot})
        except ValidationError as cause:
            raise ConfigError(f"[serve] of dapei.toml: {wrong(cause)}") from cause
