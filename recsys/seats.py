"""Which seats of a list are whose: videos and products take turns by their share."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recsys.ids import Mask


@lru_cache(maxsize=1_024)
def seats(n_videos: int, n_products: int, video_share: float, k: int) -> Mask:
    """Which of k seats are videos'; every beginning keeps the share to half a seat.

    A kind that runs out leaves its seats to the other, so there may be fewer seats than k. The
    answer is remembered and must not be written to.
    """
    k = min(k, n_videos + n_products)
    due = np.floor(np.arange(1, k + 1) * video_share + 0.5)
    are_videos: Mask = np.diff(due, prepend=0) > 0
    given = int(are_videos.sum())
    if given > n_videos:
        are_videos[np.flatnonzero(are_videos)[n_videos:]] = False
    elif k - given > n_products:
        are_videos[np.flatnonzero(~are_videos)[n_products:]] = True
    return are_videos


@lru_cache(maxsize=1_024)
def seating(n_videos: int, n_products: int, video_share: float, k: int) -> NDArray[np.intp]:
    """Who sits where, as places among all videos, best first, and behind them all products."""
    are_videos = seats(n_videos, n_products, video_share, k)
    videos = np.cumsum(are_videos)
    return np.where(are_videos, videos - 1, n_videos + np.arange(len(videos)) - videos)


@lru_cache(maxsize=1_024)
def admitted(n_videos: int, n_products: int, video_share: float, n: int) -> NDArray[np.intp]:
    """The places of those that n seats are for, in the order they stand in: videos first."""
    return np.sort(seating(n_videos, n_products, video_share, n))
