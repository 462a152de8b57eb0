"""How much people want what there is: utilities in logits, and nothing of chance.

They are linear in what is known of the person and the item, as in conditional logit (D. McFadden,
"Conditional Logit Analysis of Qualitative Choice Behavior", 1974).
"""

from dataclasses import dataclass

import numpy as np

from training.sample_goods import Ints
from training.simulation.market import USUAL_MINOR, Floats, Market
from training.simulation.nature import Nature
from training.simulation.people import People

# Below this a price is no further reason to buy.
CHEAPEST = -1.0
# Seconds that a video of ten seconds, and a note, usually hold; how long a note can be looked at.
USUAL_S, NOTE_S = 6.0, 9.0
LONGEST_NOTE_S = 90.0


@dataclass(frozen=True, slots=True, eq=False)
class Wants:
    """The people of a world in its market; shapes of arguments are broadcast."""

    people: People
    market: Market
    nature: Nature

    def liked(self, who: Ints, items: Ints) -> Floats:
        """How dear what an item is about, or is, and who made it are to people."""
        nature, market = self.nature, self.market
        found = nature.taste_weight * self.people.likings(who, market.ware[items])
        found = found + nature.quality_weight * market.quality[items]
        trusted = self.people.trusted(who, market.creator[items])
        result: Floats = found + nature.trust_weight * trusted
        return result

    def needed(self, who: Ints, wares: Ints, day: float) -> Floats:
        """What having, or having used up, a sort of product adds."""
        found: Floats = self.nature.need_weight * self.people.needs(who, wares, day)
        return found

    def dear(self, who: Ints, items: Ints) -> Floats:
        """What the price of products takes away."""
        usual = USUAL_MINOR[self.market.ware[items]]
        above = np.log(np.maximum(self.market.price_minor[items], 1) / usual)
        found: Floats = self.nature.price_weight * np.maximum(
            above - self.people.budget[who], CHEAPEST
        )
        return found

    def products(self, who: Ints, items: Ints, day: float) -> Floats:
        """All that speaks for opening products, and against it."""
        wares = self.market.ware[items]
        return self.liked(who, items) + self.needed(who, wares, day) - self.dear(who, items)

    def usual_s(self, items: Ints) -> Floats:
        """Seconds that videos usually hold whoever does not care; they grow slower than lengths."""
        length_s = self.longest_s(items)
        is_note = self.market.duration_s[items] == 0
        usual = USUAL_S * (length_s / 10.0) ** self.nature.watch_growth
        found: Floats = np.where(is_note, NOTE_S, usual)
        return found

    def longest_s(self, items: Ints) -> Floats:
        """Seconds that can be spent on videos at one time; 0 for products."""
        length_s = np.nan_to_num(self.market.duration_s[items])
        is_note = (length_s == 0) & ~self.market.is_product[items]
        found: Floats = np.where(is_note, LONGEST_NOTE_S, length_s)
        return found
