"""Where a request comes from."""

from ipaddress import ip_address, ip_network

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


def client_network(request: HttpRequest) -> str:
    """Return the network that limits count by: one IPv4 address, or a /64 of IPv6.

    A household or a host gets a whole /64, so an address more costs it nothing (RFC 6177).
    """
    text = client_address(request)
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if address.version == 6:
        mapped = address.ipv4_mapped
        return str(mapped or ip_network((address, 64), strict=False))
    return str(address)
