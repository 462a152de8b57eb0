"""What reasons say, in the languages there are."""

from enum import StrEnum


class Reason(StrEnum):
    """The closed set of reasons."""

    BOUGHT = "bought"
    CARTED = "carted"
    LIKED = "liked"
    WATCHED = "watched"
    VIEWED = "viewed"
    BOUGHT_TAG = "bought_tag"
    WATCHED_TAG = "watched_tag"
    LIKED_TAG = "liked_tag"
    VIEWED_VIDEO_TAG = "viewed_video_tag"
    VIEWED_TAG = "viewed_tag"
    ON_CARD = "on_card"
    SHOWS = "shows"
    GOES_WITH = "goes_with"
    SHOWS_ORDERED = "shows_ordered"
    ORDERED_TAG = "ordered_tag"
    GOES_WITH_CART = "goes_with_cart"
    SHOWS_CARTED = "shows_carted"
    CARTED_TAG = "carted_tag"
    SOLD_HERE = "sold_here"
    GOES_WITH_THIS = "goes_with_this"
    SHOWS_THIS = "shows_this"
    THIS_TAG = "this_tag"
    FLASH_SALE = "flash_sale"
    TOPIC = "topic"
    LIVE = "live"
    FOR_NEW = "for_new"
    FOR_RETURNING = "for_returning"
    FOR_MEMBER = "for_member"
    FOR_LAPSED = "for_lapsed"
    DUE = "due"
    SENT = "sent"
    SENT_THIS = "sent_this"
    SENT_TAG = "sent_tag"
    TRIED = "tried"
    POPULAR = "popular"
    SELECTION = "selection"
    PROMISED = "promised"
    UNTRIED = "untried"


LANGUAGES: dict[str, dict[Reason, str]] = {
    "en": {
        Reason.BOUGHT: "bought {what}",
        Reason.CARTED: "put {what} in the cart",
        Reason.LIKED: "liked {what}",
        Reason.WATCHED: "watched {what}",
        Reason.VIEWED: "looked at {what}",
        Reason.BOUGHT_TAG: "bought {what} products",
        Reason.WATCHED_TAG: "watched {what} videos",
        Reason.LIKED_TAG: "liked {what} videos",
        Reason.VIEWED_VIDEO_TAG: "looked at {what} videos",
        Reason.VIEWED_TAG: "looked at {what} products",
        Reason.ON_CARD: "sold in {what}, which you watched",
        Reason.SHOWS: "shows {what}, which you looked at",
        Reason.GOES_WITH: "goes with {what} of this order",
        Reason.SHOWS_ORDERED: "shows {what} of this order",
        Reason.ORDERED_TAG: "about {what}, as this order",
        Reason.GOES_WITH_CART: "goes with {what} in the cart",
        Reason.SHOWS_CARTED: "shows {what} in the cart",
        Reason.CARTED_TAG: "about {what}, as the cart",
        Reason.SOLD_HERE: "sold in {what}",
        Reason.GOES_WITH_THIS: "goes with {what}",
        Reason.SHOWS_THIS: "shows {what}",
        Reason.THIS_TAG: "about {what} too",
        Reason.FLASH_SALE: "in the flash sale {what}",
        Reason.TOPIC: "part of {what}",
        Reason.LIVE: "in the live session {what}",
        Reason.FOR_NEW: "for new customers",
        Reason.FOR_RETURNING: "for who ordered before",
        Reason.FOR_MEMBER: "for members",
        Reason.FOR_LAPSED: "to welcome you back",
        Reason.DUE: "it may be time to buy it again",
        Reason.SENT: "a friend sent you this",
        Reason.SENT_THIS: "a friend sent you {what}",
        Reason.SENT_TAG: "a friend sent you something about {what}",
        Reason.TRIED: "tried on {what}",
        Reason.POPULAR: "popular now",
        Reason.SELECTION: "from the shop's selection",
        Reason.PROMISED: "recommended by the shop for a while",
        Reason.UNTRIED: "something different for once",
    },
    "zh": {
        Reason.BOUGHT: "买过{what}",
        Reason.CARTED: "加购过{what}",
        Reason.LIKED: "喜欢过{what}",
        Reason.WATCHED: "看过{what}",
        Reason.VIEWED: "浏览过{what}",
        Reason.BOUGHT_TAG: "买过{what}商品",
        Reason.WATCHED_TAG: "看过{what}视频",
        Reason.LIKED_TAG: "喜欢过{what}视频",
        Reason.VIEWED_VIDEO_TAG: "浏览过{what}视频",
        Reason.VIEWED_TAG: "浏览过{what}商品",
        Reason.ON_CARD: "看过的{what}里有售",
        Reason.SHOWS: "介绍浏览过的{what}",
        Reason.GOES_WITH: "与本单的{what}搭配",
        Reason.SHOWS_ORDERED: "介绍本单的{what}",
        Reason.ORDERED_TAG: "与本单同属{what}",
        Reason.GOES_WITH_CART: "与购物车里的{what}搭配",
        Reason.SHOWS_CARTED: "介绍购物车里的{what}",
        Reason.CARTED_TAG: "与购物车同属{what}",
        Reason.SOLD_HERE: "{what}里有售",
        Reason.GOES_WITH_THIS: "与{what}搭配",
        Reason.SHOWS_THIS: "介绍{what}",
        Reason.THIS_TAG: "同属{what}",
        Reason.FLASH_SALE: "正在秒杀:{what}",
        Reason.TOPIC: "参与话题{what}",
        Reason.LIVE: "{what}直播间在售",
        Reason.FOR_NEW: "新客专享",
        Reason.FOR_RETURNING: "老客专享",
        Reason.FOR_MEMBER: "会员专享",
        Reason.FOR_LAPSED: "欢迎回来",
        Reason.DUE: "差不多该再买了",
        Reason.SENT: "好友分享给你",
        Reason.SENT_THIS: "好友分享过{what}",
        Reason.SENT_TAG: "好友分享过{what}相关内容",
        Reason.TRIED: "试穿过{what}",
        Reason.POPULAR: "正在热门",
        Reason.SELECTION: "本店精选",
        Reason.PROMISED: "本店近期推荐",
        Reason.UNTRIED: "换个口味看看",
    },
}
