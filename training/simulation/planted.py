"""What stories plant in a world's market: hiking goods, a note's product, a creator's new one."""

from dataclasses import replace
from datetime import timedelta

from recsys.catalog import Item, Kind
from recsys.events import Platform
from training.sample_goods import START, TASTES, ware_positions
from training.sample_text import WARES
from training.simulation.market import GOODS_TAG, Placed

# Long before the first day; and on the day of the stories, after their bundle was made.
BEFORE = START - timedelta(days=30)
TODAY = START + timedelta(days=60, hours=1)
# The flash sale of the day, open at the moment of the stories.
FLASH_STARTS, FLASH_ENDS = TODAY + timedelta(hours=10), TODAY + timedelta(hours=13)
FLASH_STOCK = 30
HIKING_WARE, GIFT_WARE = "防潮垫", "蛋黄酥"
N_HIKING = 6
TRUSTED = "creator-901"
# Nobody cares for it but who is paid.
LIFTED, NOBODYS = "lifted", -20.0
# Of every taste so many products come in on the day, so that one among them is not there by luck.
NEW_A_TASTE = 4


def of_old() -> list[Placed]:
    """What was there all the time."""
    return [*hiking(), *notes(), *made_by(TRUSTED), lifted()]


def of_today() -> list[Placed]:
    """What comes in on the day of the stories."""
    ware = ware_positions()["咖啡秤"]
    new = _product("new-trusted", "手冲套组", ("手冲", "新品"), ("咖啡", "器具", "手冲套组"))
    first = Placed(replace(new, creator_id=TRUSTED, published_at=TODAY), ware, 0.0)
    clip = _video("clip-trusted", "新品来了", ("手冲", "新品"), TRUSTED, cards=("new-trusted",))
    others = [
        Placed(
            replace(
                _product(f"new-{taste}-{n}", f"{taste}新品{n}", (taste, "新品"), (taste, "新品")),
                creator_id=f"creator-{950 + n}",
                published_at=TODAY,
            ),
            _first_ware(taste),
            0.0,
        )
        for taste in TASTES
        for n in range(NEW_A_TASTE)
    ]
    return [
        first,
        Placed(replace(clip, published_at=TODAY), ware, 0.0),
        *others,
        *on_sale(),
        *meant(),
    ]


def on_sale() -> list[Placed]:
    """A product that is sold in a flash sale only, and the same with no campaign."""
    flash = _product("flash", "限时抢购礼盒", ("礼盒", "限时"), ("食品", "礼盒"))
    window = f"{FLASH_STARTS.isoformat()}/{FLASH_ENDS.isoformat()}"
    sold = replace(flash, campaigns=(f"flash:gift {window} limit=1",), stock=FLASH_STOCK)
    plain = replace(flash, item_id="flash-plain", stock=FLASH_STOCK)
    ware = ware_positions()[GIFT_WARE]
    return [Placed(replace(one, published_at=TODAY), ware, 0.0) for one in (sold, plain)]


def meant() -> list[Placed]:
    """A video for new customers, and a launch for members only."""
    new = _video("for-new", "新人见面礼", ("新人", "见面礼"), "creator-904")
    member = _video("for-members", "会员首发", ("会员", "首发"), "creator-904")
    ware = ware_positions()[GIFT_WARE]
    return [
        Placed(replace(new, audience=("new",), published_at=TODAY), ware, 0.0),
        Placed(replace(member, audience=("member",), published_at=TODAY), ware, 0.0),
    ]


def hiking() -> list[Placed]:
    """Boots: a part of what is sold for outdoors."""
    ware = ware_positions()[HIKING_WARE]
    tags, category = (GOODS_TAG, "登山鞋"), ("户外", "登山", "登山鞋")
    goods = [_product(f"hiking-{n}", f"登山鞋{n}号", tags, category) for n in range(N_HIKING)]
    return [Placed(item, ware, 0.0) for item in goods]


def notes() -> list[Placed]:
    """A note with a product on its card, and the same with none; they share no tag."""
    ware = ware_positions()["香薰蜡烛"]
    product = _product("seeded", "黄铜书签", ("黄铜", "文具"), ("文具", "书签", "黄铜书签"))
    told = _video("note-card", "我的手帐日记", ("手帐", "日记"), "creator-903", cards=("seeded",))
    plain = _video("note-plain", "今天的手帐", ("手帐", "日记"), "creator-903")
    as_notes = [
        replace(one, duration_s=0.0, attributes={"platform": Platform.XIAOHONGSHU.value})
        for one in (told, plain)
    ]
    return [Placed(item, ware, 0.0) for item in (product, *as_notes)]


def lifted() -> Placed:
    """What shares nothing with anything, and is no good; it comes in a week before the stories."""
    product = _product(LIFTED, "镀银鞋拔", ("镀银", "鞋拔"), ("杂货", "鞋具", "鞋拔"))
    late = replace(product, published_at=TODAY - timedelta(days=8))
    return Placed(late, ware_positions()["香薰蜡烛"], NOBODYS)


def made_by(creator: str) -> list[Placed]:
    """A creator's videos on Kuaishou, and a product on their cards."""
    ware = ware_positions()["手冲壶"]
    product = _product("old-trusted", "手冲壶礼盒", ("手冲", "礼盒"), ("咖啡", "器具", "手冲壶"))
    clips = [
        _video(f"trusted-{n}", f"一起学手冲 第{n}期", ("手冲", "器具"), creator, ("old-trusted",))
        for n in range(4)
    ]
    return [Placed(item, ware, 0.5) for item in (product, *clips)]


def _first_ware(taste: str) -> int:
    return next(number for number, ware in enumerate(WARES) if ware.taste == taste)


def _product(item_id: str, title: str, tags: tuple[str, ...], category: tuple[str, ...]) -> Item:
    return Item(
        item_id=item_id,
        kind=Kind.PRODUCT,
        title=title,
        tags=tags,
        category=category,
        price_minor=9_900,
        member_price_minor=8_900,
        stock=500,
        published_at=BEFORE,
        durable=True,
    )


def _video(
    item_id: str, title: str, tags: tuple[str, ...], creator: str, cards: tuple[str, ...] = ()
) -> Item:
    return Item(
        item_id=item_id,
        kind=Kind.VIDEO,
        title=title,
        tags=tags,
        creator_id=creator,
        published_at=BEFORE,
        cards=cards,
        duration_s=45.0,
        attributes={"platform": Platform.KUAISHOU.value},
    )
