"""What a client can be told beyond DRF's own exceptions."""

from http import HTTPStatus

from rest_framework.exceptions import APIException

from .database import is_connection_lost


class ServiceUnavailable(APIException):
    """503: nothing is wrong with the request, and it may succeed in `wait` seconds."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = "The service cannot answer now. Try again later."
    wait = 1


class DatabaseUnavailable(ServiceUnavailable):
    """The database did not answer. `lost` tells that a connection broke off while in use."""

    default_detail = (
        "The database did not answer. If the request was a change, look whether it was made "
        "before you repeat it."
    )

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.lost = is_connection_lost(error)


class PayloadTooLarge(APIException):
    """413: the body is larger than the service reads."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request's body is larger than 1 MiB."


class InvalidToken(APIException):
    """401 for a token that is not good, with the challenge of RFC 6750, section 3.1."""

    status_code = HTTPStatus.UNAUTHORIZED
    default_detail = "The token is not valid, or not any more. Log in again."
    auth_header = 'Bearer error="invalid_token"'


class Conflict(APIException):
    """409: the request contradicts what is stored."""

    status_code = HTTPStatus.CONFLICT
    default_detail = "The request contradicts what is stored."
