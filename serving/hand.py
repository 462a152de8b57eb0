"""What is in a person's own hand: to see what is known of them, to choose, to be forgotten."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from data.erasures import Erasures
from data.record import Record
from data.record_audit import Deed
from data.record_controls import MAX_REMOVED, Change
from recsys.controls import Age, Controls, InUse, Purpose, in_use
from recsys.errors import InvalidInput
from recsys.events import millis
from serving.bundles import Watcher
from serving.current import told_past, until
from serving.errors import Forbidden
from serving.identity import Caller, Plane, Scope
from serving.intake import NOT_KEPT, Rejected, quarantine_row, whose_is
from serving.persons import Met, Persons

# What is said of a person who acts for themselves.
OWN = "the person"


@dataclass(frozen=True, slots=True)
class Act:
    """One act on a person's choices: whose, by whom, why.

    Parameters
    ----------
    why
        As the caller said it; a person need not give reasons.
    """

    user_id: str
    caller: Caller
    why: str = ""

    def deed(self, what: str) -> Deed:
        """How the audit tells it; whom it is about is added there, under the key."""
        is_own = self.caller.plane is Plane.USER
        return Deed(OWN if is_own else self.caller.name, what, "", self.why or "asked for")


@dataclass(frozen=True, slots=True)
class Hand:
    """One worker's way to what persons chose.

    Parameters
    ----------
    now
        The clock.
    """

    record: Record
    persons: Persons
    watcher: Watcher
    erasures: Erasures
    now: Callable[[], datetime]

    async def told(self, act: Act) -> dict[str, Any]:
        """What a person chose and what follows from it."""
        said = await self._looked(act, "look")
        erasure = await asyncio.to_thread(self.erasures.status, act.user_id)
        return {
            "personalised": said.is_personal,
            "on": said.is_on,
            "basis": self.record.choices.privacy.basis,
            "consents": {one.value: said.consents.get(one) for one in Purpose},
            "kept": said.may_keep,
            "learned_from": said.may_learn,
            "age": said.age,
            "guardian": said.has_guardian,
            "removed_tags": sorted(said.removed),
            "not_interested": list(said.refused),
            "erased": said.is_erased,
            "erasure": erasure,
        }

    async def tags(self, act: Act) -> tuple[list[InUse], list[str]]:
        """The labels that lists are made from, and those that were removed."""
        await self._looked(act, "look at tags")
        current = self.watcher.current
        if current is None:
            return [], []
        met = await self.persons.meet(act.user_id, current)
        return self._in_use(met), sorted(met.controls.removed)

    def _in_use(self, met: Met) -> list[InUse]:
        history, catalog = until(met.history, millis(self.now())), met.current.bundle.catalog
        return in_use(met.controls.speaking(history, catalog), catalog)

    async def switch(self, act: Act, *, is_on: bool) -> Controls:
        """Lists made for this person, or for nobody."""
        what = f"personalisation {'on' if is_on else 'off'}"
        return await self.change(act, what, lambda said: replace(said, is_on=is_on))

    async def remove_tag(self, act: Act, tag: str) -> Controls:
        """What a person did with items of a tag speaks no more, nor what they will do."""

        def change(said: Controls) -> Controls:
            if len(said.removed | {tag}) > MAX_REMOVED:
                raise InvalidInput(f"tags are too many, got one more; allowed: {MAX_REMOVED}")
            return replace(said, removed=said.removed | {tag})

        return await self.change(act, "tag removed", change)

    async def restore_tag(self, act: Act, tag: str) -> Controls:
        """What a person did with items of a tag speaks again."""
        return await self.change(
            act, "tag restored", lambda said: replace(said, removed=said.removed - {tag})
        )

    async def refuse(self, act: Act, item_id: str) -> Controls:
        """Never this item again, and for a while less of its kind."""
        at_ms = millis(self.now())
        return await self.change(
            act,
            "not interested",
            lambda said: replace(said, refused={**said.refused, item_id: at_ms}),
        )

    async def take_back(self, act: Act, item_id: str) -> Controls:
        """The item may come again."""

        def change(said: Controls) -> Controls:
            return replace(
                said, refused={one: at for one, at in said.refused.items() if one != item_id}
            )

        return await self.change(act, "interested again", change)

    async def consent(self, act: Act, consents: dict[Purpose, bool]) -> Controls:
        """What a person agrees to; who was erased begins anew by agreeing."""
        await asyncio.to_thread(self.record.choices.renew, act.user_id, consents, at=self.now())
        told = ", ".join(
            f"{purpose} {'yes' if said else 'no'}" for purpose, said in consents.items()
        )
        return await self.change(
            act,
            f"consent: {told}",
            lambda said: replace(said, consents={**said.consents, **consents}),
        )

    async def set_age(self, act: Act, age: Age, *, has_guardian: bool) -> Controls:
        """Minors mode on, by anybody; off or with a guardian's yes, by a guardian's key alone.

        Raises
        ------
        Forbidden
            Only a guardian may.
        """
        is_guardians = Scope.GUARDIAN in act.caller.scopes

        def change(said: Controls) -> Controls:
            grows = list(Age).index(age) < list(Age).index(said.age)
            if (grows or (has_guardian and not said.has_guardian)) and not is_guardians:
                raise Forbidden(
                    f"minors mode is left by a guardian, got {age}; "
                    "allowed: a server key with the scope guardian"
                )
            return replace(said, age=age, has_guardian=has_guardian)

        return await self.change(act, f"minors mode: {age}", change)

    async def erase(self, act: Act) -> dict[str, Any]:
        """Forget a person; when this returns, nothing is shown or kept of them any more."""
        ids = await asyncio.to_thread(self.record.aliases.ids_of, act.user_id)
        status = await asyncio.to_thread(
            self.erasures.ask, act.user_id, act.deed("erase"), at=self.now()
        )
        await self.persons.changed({act.user_id, *ids})
        return status

    async def history(self, user_id: str, limit: int) -> list[dict[str, Any]]:
        """What lists of a person are made from, newest first: at most so many events.

        Of imported events only what histories keep is known; of those that came since, everything.
        """
        return await asyncio.to_thread(self._told_history, user_id, limit)

    def _told_history(self, user_id: str, limit: int) -> list[dict[str, Any]]:
        past = None if self.watcher.current is None else self.watcher.current.past
        after_seq = 0 if past is None else past.record_seq
        news = self.record.since(user_id, after_seq=after_seq, limit=limit)
        told = [event.body() for event in reversed(news.events)]
        if past is not None and not news.controls.is_erased:
            for one in self.record.aliases.ids_of(user_id):
                told += told_past(past, one, limit - len(told))
        return told

    async def quarantine_rows(
        self, bodies: list[object], rejected: list[Rejected], caller: Caller
    ) -> list[tuple[bytes, str, str]]:
        """What an operator may look at of what was refused: nothing of who must not be kept."""
        told = [one for one in rejected if one.error != NOT_KEPT]
        if not told:
            return []
        whose = [whose_is(bodies[one.index], caller) for one in told]
        known = {user_id for user_id in whose if user_id is not None}
        unkept = await asyncio.to_thread(self.record.choices.unkept, known)
        return [
            quarantine_row(bodies[one.index], one)
            for one, user_id in zip(told, whose, strict=True)
            if user_id not in unkept
        ]

    async def change(self, act: Act, what: str, change: Change) -> Controls:
        """Change what a person chose, durably; it holds for every request after this returns.

        Raises
        ------
        StoreUnavailable
            It could not be kept, or not every worker can be told.
        """
        now = await asyncio.to_thread(
            self.record.choices.change, act.user_id, change, act.deed(what), at=self.now()
        )
        await self.persons.changed({act.user_id})
        return now

    async def note(self, act: Act, what: str) -> None:
        """Keep that somebody saw what is known of a person, or took it."""
        deed = act.deed(what)._replace(about=self.record.choices.privacy.name_of(act.user_id))
        await asyncio.to_thread(self.record.audit.add, deed, at=self.now())

    async def _looked(self, act: Act, what: str) -> Controls:
        """What a person chose; that somebody else looked at it is noted."""
        if act.caller.plane is not Plane.USER:
            await self.note(act, what)
        return await asyncio.to_thread(self.record.choices.of, act.user_id)
