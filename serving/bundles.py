"""Notices new bundles and histories, what changed about items and rules; swaps one reference."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from threading import Lock
from typing import NamedTuple

from data.histories_file import Past, pointed
from data.home import Home
from data.record import Record
from recsys.bare import NO_BUNDLE, bare_bundle
from recsys.bundle import Bundle
from recsys.bundle_files import ModelTable, read
from recsys.catalog import Item
from recsys.errors import BundleError, ConfigError, StoreUnavailable
from recsys.golden import check_golden
from recsys.models.table import MODELS
from recsys.overlay import Overlay
from recsys.pacing import Counts
from recsys.pointer import Pointer, read_pointer
from recsys.rules import Rule, with_defaults
from recsys.seals import Checked
from recsys.signing import PUBLIC_NAME, VerifyKey
from serving.current import Current

log = logging.getLogger(__name__)

# Promised impressions are counted anew so often; each count reads what came since.
COUNT_S = 5.0
# A new bundle answers its golden requests with such pauses: without them lists would take twice as
# long for as long as that lasts.
LET_GO_S = 0.002
# Before there is a bundle lists are of so many items, those that changed last.
BARE_ITEMS = 2_000


class Made(NamedTuple):
    """A bundle with histories, and what changed about items and rules up to two versions."""

    plain: Current
    overlay: Overlay
    version: int
    rule_version: int = -1

    def with_items(self, items: Iterable[Item], version: int) -> "Made":
        """The same up to a later version."""
        return self._replace(overlay=self.overlay.with_items(items), version=version)

    def with_rules(self, rules: Iterable[Rule], version: int) -> "Made":
        """The same under these rules."""
        bundle = self.plain.bundle.ruled(rules)
        return self._replace(plain=replace(self.plain, bundle=bundle), rule_version=version)


class Watcher:
    """Holds what lists are made from now, and looks for newer.

    Parameters
    ----------
    table
        The models a bundle may hold.
    defaults
        Rules that hold until the shop says otherwise.
    checked
        Files of a bundle that need not be compared with what was signed once more.

    Attributes
    ----------
    current
        What the next request uses; None until there is a bundle, or any item.
    has_looked
        Whether the first look is over, so that `current` says what there is.
    home
        The shop's folder.
    refused
        How many pointers and bundles were refused since the start.
    """

    def __init__(
        self,
        home: Home,
        record: Record,
        *,
        table: ModelTable = MODELS,
        defaults: tuple[Rule, ...] = (),
        checked: Checked | None = None,
    ) -> None:
        self.current: Current | None = None
        self.has_looked = False
        self.refused = 0
        self.home = home
        self._record = record
        self._table = table
        self._checked = checked
        self._counter = 0
        self._refused: str | None = None
        self._past: Past | None = None
        self._past_version: str | None = None
        self._defaults = defaults
        self._counts: dict[str, Counts] = {}
        self._counted_seq = 0
        self._lock = Lock()
        # What is to be served, and of what `current` was made: not the same only while the record
        # cannot say what changed about items.
        self._made: Made | None = None
        self._served: Made | None = None

    @property
    def bundle_id(self) -> str | None:
        """The bundle in use; None where lists are made without one."""
        in_use = NO_BUNDLE if self.current is None else self.current.bundle.bundle_id
        return None if in_use == NO_BUNDLE else in_use

    @property
    def counter(self) -> int:
        """The number of the pointer that was followed last; 0 before there was one."""
        return self._counter

    @property
    def _wanted_id(self) -> str | None:
        return None if self._made is None else self._made.plain.bundle.bundle_id

    async def run(self, poll_s: float) -> None:
        """Look for ever, once every `poll_s` seconds, beside the event loop.

        Items are looked at apart: reading a large bundle must not keep what was switched off on
        sale.
        """
        looks = (
            (self.look_for_bundle, poll_s),
            (self.look_for_items, poll_s),
            (self.look_for_counts, max(poll_s, COUNT_S)),
        )
        await asyncio.gather(*(self._for_ever(look, every_s) for look, every_s in looks))

    async def _for_ever(self, look: Callable[[], None], poll_s: float) -> None:
        while True:
            await asyncio.sleep(poll_s)
            looking = asyncio.create_task(asyncio.to_thread(look))
            await asyncio.wait({looking})
            # A programmer's mistake met while looking must not end the looking.
            if looking.exception() is not None:
                log.error("looking for bundles or items failed", exc_info=looking.exception())

    def look(self) -> None:
        """Look once: bundle and histories first, then items."""
        self.look_for_bundle()
        self.look_for_items()

    def look_for_bundle(self) -> None:
        """Swap in the bundle the pointer names and the histories, if either is new."""
        bundle, past = self._new_bundle(), self._new_past()
        made = self._made
        if bundle is not None:
            # What the record said of items when the bundle was made is in the bundle already.
            version = int(bundle.origin.get("item_version", 0))
            made = Made(Current.of(bundle, past), Overlay.of(bundle.catalog), version)
        elif made is not None and past is not made.plain.past:
            made = made._replace(plain=Current.of(made.plain.bundle, past))
        if made is not None and made is not self._made:
            self._swap(made)
        if made is None:
            self.look_for_items()
        self.has_looked = True

    def look_for_items(self) -> None:
        """Take over what changed about items and rules since the last look."""
        with self._lock:
            self._take_over()

    def look_for_counts(self) -> None:
        """Count impressions that rules promise, where any rule does."""
        current = self.current
        if current is None or current.bundle.rules is None or not current.bundle.rules.has_promises:
            return
        try:
            seq = self._record.last_seq()
            counts = self._record.rules.counted(self._counts, self._counted_seq, seq)
        except StoreUnavailable as error:
            log.warning("impressions not counted: %s", error)
            return
        with self._lock:
            self._counts, self._counted_seq = counts, seq
            if self.current is not None:
                self.current = self._counting(self.current)

    def _counting(self, current: Current) -> Current:
        rules = current.bundle.rules
        if rules is None or not self._counts:
            return current
        bundle = replace(current.bundle, rules=rules.counting(self._counts))
        return replace(current, bundle=bundle)

    def _swap(self, made: Made) -> None:
        with self._lock:
            if self._made is not None and self._made.plain.bundle is made.plain.bundle:
                # Items were looked at while the histories were opened.
                made = self._made._replace(plain=made.plain, rule_version=-1)
            self._made = made
            self._take_over()
        bundle_id, record_seq = made.plain.bundle.bundle_id, made.plain.record_seq
        log.info("serving bundle=%s record_seq=%d", bundle_id, record_seq)

    def _take_over(self) -> None:
        """Serve what is to be served, with items as the record knows them now."""
        try:
            made = self._made or self._bare()
            if made is None:
                return
            version = self._record.item_version()
            if version != made.version:
                made = made.with_items(self._record.changed_items(made.version), version)
            made = self._under_rules(made)
        except StoreUnavailable as error:
            log.warning("items and rules not looked at: %s", error)
            # What was switched off since a bundle was made must not be back because nobody can
            # ask; so the one in use stays, if there is one.
            self.current = self.current or (self._made and self._made.plain)
            return
        if made is not self._served:
            self._made = self._served = made
            self.current = self._counting(made.plain.with_items(made.overlay))

    def _bare(self) -> Made | None:
        """What there is before the first bundle: the shop's latest items; None if it has none."""
        version = self._record.item_version()
        latest = self._record.latest_items(BARE_ITEMS) if version else []
        if not latest:
            return None
        bundle = bare_bundle()
        return Made(
            Current.of(bundle, self._past), Overlay.of(bundle.catalog).with_items(latest), version
        )

    def _under_rules(self, made: Made) -> Made:
        """The same with rules as the record knows them now."""
        version = self._record.rules.version()
        if version == made.rule_version:
            return made
        if self._made is None or version != self._made.rule_version:
            # What a promise counts from may be another moment now.
            self._counts, self._counted_seq = {}, 0
        held = self._record.rules.held()
        rules = with_defaults(held.rules, held.dropped, self._defaults)
        return made.with_rules(rules, held.version)

    def _new_bundle(self) -> Bundle | None:
        """The bundle the pointer names, unless it is the one in use or cannot be used."""
        try:
            public = self._public()
            pointer = None if public is None else self._pointer(public)
            if public is None or pointer is None or pointer.bundle_id == self._wanted_id:
                return None
            path = self.home.bundles / pointer.bundle_id
            bundle = read(path, public, table=self._table, checked=self._checked)
            check_golden(bundle, between=self._let_requests_go_first)
        except (BundleError, ConfigError) as error:
            self._refuse(error)
            return None
        self._refused = None
        self._counter = pointer.counter
        return bundle

    def _let_requests_go_first(self) -> None:
        if self.current is not None:
            time.sleep(LET_GO_S)

    def _new_past(self) -> Past | None:
        """The histories the pointer names; those in use if it names them, or a damaged version."""
        version = pointed(self.home.histories)
        if version != self._past_version:
            self._past_version = version
            try:
                self._past = Past.open(self.home.histories)
            except StoreUnavailable as error:
                log.error("refused histories, those in use stay: %s", error)
        return self._past

    def _pointer(self, public: VerifyKey) -> Pointer | None:
        return read_pointer(self.home.bundles, public, at_least=self._counter)

    def _public(self) -> VerifyKey | None:
        has_key = (self.home.keys / PUBLIC_NAME).exists()
        return VerifyKey.load(self.home.keys) if has_key else None

    def _refuse(self, error: Exception) -> None:
        """Count and log a refusal, once as long as it stays the same."""
        if str(error) != self._refused:
            self.refused += 1
            self._refused = str(error)
            log.error("refused a bundle, the one in use keeps serving: %s", error)
