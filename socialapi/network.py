"""Where a request comes from."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest
from django.utils.encoding import iri_to_uri


def absolute_uri(request: HttpRequest, path: str) -> str:
    """Return the address of a path of ours; raises DisallowedHost only where no Host is given."""
    host = request.META.get("HTTP_HOST") or request.get_host()
    return iri_to_uri(f"{request.scheme}://{host}{path}")


def client_address(request: HttpRequest) -> str:
    """Return the client's address, as the outermost trusted proxy saw it.

    Each of the TRUSTED_PROXIES adds the address it was called from to the end of
    X-Forwarded-For. What stands before those was written by the client, and is not believed.
    """
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    hops = forwarded.split(",")
    if forwarded and 0 < settings.TRUSTED_PROXIES <= len(hops):
        return hops[-settings.TRUSTED_PROXIES].strip()
    return str(request.META.get("REMOTE_ADDR", ""))


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, that of IPv4 where IPv6 only wraps it, or None for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def client_network(request: HttpRequest) -> str:
    """Return the network that limits count by: one IPv4 address, or a /64 of IPv6.

    A household or a host gets a whole /64, so an address more costs it nothing (RFC 6177).
    """
    text = client_address(request)
    address = parse_address(text)
    if address is None:
        return text
    return str(ip_network((address, 64), strict=False) if address.version == 6 else address)


def client_region(request: HttpRequest) -> str:
    """Return the network that is kept of an address: a /24 of IPv4, a /48 of IPv6, or nothing.

    A site gets a /48 at most (RFC 6177), so that neither tells a household from its neighbours.
    """
    address = parse_address(client_address(request))
    if address is None:
        return ""
    return str(ip_network((address, 48 if address.version == 6 else 24), strict=False))
