"""Notices new bundles, new histories and items switched on or off, and swaps one reference."""

import asyncio
import logging

from data.histories_file import Past, pointed
from data.home import Home
from data.record import Record
from recsys.bundle import Bundle, ModelTable, read
from recsys.errors import BundleError, ConfigError, StoreUnavailable
from recsys.models.table import MODELS
from recsys.pointer import Pointer, read_pointer
from recsys.signing import PUBLIC_NAME, VerifyKey
from serving.current import Current

log = logging.getLogger(__name__)


class Watcher:
    """Holds what lists are made from now, and looks for newer.

    Parameters
    ----------
    table
        The models a bundle may hold.

    Attributes
    ----------
    current
        What the next request uses; None until there is a bundle.
    has_looked
        Whether the first look is over, so that `current` says what there is.
    refused
        How many pointers and bundles were refused since the start.
    """

    def __init__(self, home: Home, record: Record, *, table: ModelTable = MODELS) -> None:
        self.current: Current | None = None
        self.has_looked = False
        self.refused = 0
        self._home = home
        self._record = record
        self._table = table
        self._counter = 0
        self._refused: str | None = None
        self._past: Past | None = None
        self._past_version: str | None = None
        self._item_version = 0

    @property
    def bundle_id(self) -> str | None:
        """The bundle in use."""
        return None if self.current is None else self.current.bundle.bundle_id

    async def run(self, poll_s: float) -> None:
        """Look for ever, once every `poll_s` seconds, beside the event loop."""
        while True:
            await asyncio.sleep(poll_s)
            look = asyncio.create_task(asyncio.to_thread(self.look))
            await asyncio.wait({look})
            # A programmer's mistake met while looking must not end the looking.
            if look.exception() is not None:
                log.error("looking for bundles failed", exc_info=look.exception())

    def look(self) -> None:
        """Look once: bundle and histories first, then what is on sale."""
        self.look_for_bundle()
        self.look_for_items()

    def look_for_bundle(self) -> None:
        """Swap in the bundle the pointer names and the histories, if either is new."""
        bundle, past = self._new_bundle(), self._new_past()
        self.has_looked = True
        if bundle is not None:
            # What the record said of items when the bundle was made is in the bundle already.
            self._item_version = int(bundle.origin.get("item_version", 0))
        elif self.current is not None and past is not self.current.past:
            bundle = self.current.bundle
        if bundle is None:
            return
        self.current = Current.of(bundle, past)
        log.info("serving bundle=%s record_seq=%d", bundle.bundle_id, self.current.record_seq)

    def look_for_items(self) -> None:
        """Take over which items were switched on or off since the last look."""
        if self.current is None:
            return
        try:
            version = self._record.item_version()
            if version == self._item_version:
                return
            changed = self._record.changed_items(self._item_version)
        except StoreUnavailable as error:
            log.warning("items not looked at: %s", error)
            return
        self.current = self.current.with_on_sale({item.item_id: item.on_sale for item in changed})
        self._item_version = version

    def _new_bundle(self) -> Bundle | None:
        """The bundle the pointer names, unless it is the one in use or cannot be used."""
        try:
            public = self._public()
            pointer = None if public is None else self._pointer(public)
            if public is None or pointer is None or pointer.bundle_id == self.bundle_id:
                return None
            bundle = read(self._home.bundles / pointer.bundle_id, public, table=self._table)
        except (BundleError, ConfigError) as error:
            self._refuse(error)
            return None
        self._refused = None
        self._counter = pointer.counter
        return bundle

    def _new_past(self) -> Past | None:
        """The histories the pointer names; those in use if it names them, or a damaged version."""
        version = pointed(self._home.histories)
        if version != self._past_version:
            self._past_version = version
            try:
                self._past = Past.open(self._home.histories)
            except StoreUnavailable as error:
                log.error("refused histories, those in use stay: %s", error)
        return self._past

    def _pointer(self, public: VerifyKey) -> Pointer | None:
        return read_pointer(self._home.bundles, public, at_least=self._counter)

    def _public(self) -> VerifyKey | None:
        has_key = (self._home.keys / PUBLIC_NAME).exists()
        return VerifyKey.load(self._home.keys) if has_key else None

    def _refuse(self, error: Exception) -> None:
        """Count and log a refusal, once as long as it stays the same."""
        if str(error) != self._refused:
            self.refused += 1
            self._refused = str(error)
            log.error("refused a bundle, the one in use keeps serving: %s", error)
