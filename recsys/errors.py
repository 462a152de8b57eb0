"""The errors of the project, one class per reaction.

RecsysError            something of ours went wrong; `code` is stable and goes to callers
├── InvalidInput       the caller's data is wrong: mend it and send it again
│   ├── InvalidEvent   an event breaks the contract
│   ├── InvalidItem    an item breaks the contract
│   ├── InvalidRule    a rule breaks the contract, or contradicts another one
│   ├── IdConflict     the same event id came before with another body
│   └── AliasConflict  an id belongs to somebody else already
├── ConfigError        a setting or a mapping is wrong: an operator must mend it
│   └── UnknownModel   a name that the closed table of models does not hold
├── NotFitted          a model was asked before it learned
├── TooManyBadRows     an import was refused as a whole
├── BundleError        a bundle is damaged, unsigned or does not fit: keep the old one
└── StoreUnavailable   the record cannot be read or written now: try again later
"""


class RecsysError(Exception):
    """Base of all deliberate errors; the message says what was wrong, got and allowed."""

    code = "error"


class InvalidInput(RecsysError):
    """Data from outside breaks a contract."""

    code = "invalid_input"


class InvalidEvent(InvalidInput):
    """An event breaks the contract."""

    code = "invalid_event"


class InvalidItem(InvalidInput):
    """An item breaks the contract."""

    code = "invalid_item"


class InvalidRule(InvalidInput):
    """A rule breaks the contract, or contradicts another one."""

    code = "invalid_rule"


class IdConflict(InvalidInput):
    """The same event id came before with another body."""

    code = "id_conflict"


class AliasConflict(InvalidInput):
    """An id belongs to somebody else already."""

    code = "alias_conflict"


class ConfigError(RecsysError):
    """A setting or a mapping is wrong."""

    code = "config_error"


class UnknownModel(ConfigError):
    """The closed table of models does not hold this name."""

    code = "unknown_model"


class NotFitted(RecsysError):
    """A model was asked before it learned."""

    code = "not_fitted"


class TooManyBadRows(RecsysError):
    """An import was refused because more rows were bad than allowed."""

    code = "too_many_bad_rows"


class BundleError(RecsysError):
    """A bundle is damaged, unsigned or does not fit."""

    code = "bundle_error"


class StoreUnavailable(RecsysError):
    """The record cannot be read or written now."""

    code = "store_unavailable"
