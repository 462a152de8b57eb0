"""What the service does with rules: checked against the shop, kept, and in force at once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data.record import Record
from recsys.catalog import Catalog
from recsys.rule_values import rule_of, told
from recsys.ruled import check_known
from serving.bundles import Watcher
from serving.errors import NotThere


@dataclass(frozen=True, slots=True)
class RuleDesk:
    """Where rules are told, set and dropped, of one worker; others follow by themselves."""

    record: Record
    watcher: Watcher
    now: Callable[[], datetime]

    async def told(self) -> dict[str, Any]:
        """Every rule that holds, defaults included."""
        held = await asyncio.to_thread(self.record.rules.held)
        own = {rule.rule_id for rule in held.rules}
        rules = [
            {"rule_id": rule.rule_id, "is_default": rule.rule_id not in own} | told(rule)
            for rule in held.effective
        ]
        return {"version": held.version, "rules": rules, "dropped": list(held.dropped)}

    async def put(self, rule_id: str, said: dict[str, Any]) -> int:
        """Set a rule; the version from which on it holds.

        Raises
        ------
        InvalidRule
            It means nothing, names what the shop has not, or contradicts another rule.
        StoreUnavailable
            The record cannot take it now.
        """
        rule = rule_of(rule_id, said)
        await asyncio.to_thread(lambda: check_known(rule, self.catalog()))
        held = await asyncio.to_thread(self.record.rules.put, [rule], at=self.now())
        await asyncio.to_thread(self.watcher.look_for_items)
        return held.version

    async def drop(self, rule_id: str, why: str) -> int:
        """Let a rule hold no longer; the version from which on it does not.

        Raises
        ------
        NotThere
            No rule of this id holds.
        StoreUnavailable
            The record cannot take it now.
        """
        held = await asyncio.to_thread(self.record.rules.held)
        if rule_id not in {rule.rule_id for rule in held.effective}:
            raise NotThere(f"there is no rule {rule_id!r:.80}; allowed: one of GET /v1/rules")
        held = await asyncio.to_thread(self.record.rules.drop, rule_id, at=self.now(), why=why)
        await asyncio.to_thread(self.watcher.look_for_items)
        return held.version

    def catalog(self) -> Catalog:
        """What rules may name: what lists are made from, or else the items of the record."""
        current = self.watcher.current
        if current is not None:
            return current.bundle.catalog
        return Catalog.of(list(self.record.items()))
