"""Where requests come from: the peer, or who a proxy of the shop's own says was before it."""

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network


class Addresses:
    """Where requests really come from.

    Parameters
    ----------
    proxies
        Networks of proxies of the shop's own, whose word about the sender before them is believed.
    """

    def __init__(self, proxies: Iterable[str]) -> None:
        self._proxies = [ip_network(one) for one in proxies]

    def of(self, peer: str, forwarded: list[str]) -> str:
        """The sender's address, or its network if it has so many that it may choose.

        Parameters
        ----------
        forwarded
            The `X-Forwarded-For` headers, in order: each proxy adds whom it heard.
        """
        if not self._is_proxy(peer):
            return _network(peer)
        hops = [hop.strip() for header in forwarded for hop in header.split(",")]
        for hop in reversed(hops):
            if not _is_address(hop):
                break
            peer = hop
            if not self._is_proxy(hop):
                break
        return _network(peer)

    def _is_proxy(self, address: str) -> bool:
        if not self._proxies or not _is_address(address):
            return False
        one = ip_address(address)
        return any(one in network for network in self._proxies)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _network(address: str) -> str:
    if ":" not in address or not _is_address(address):
        return address
    # A household or a server of IPv6 has the lower half of an address to itself.
    return str(IPv6Address(int(IPv6Address(address.partition("%")[0])) >> 64 << 64))
