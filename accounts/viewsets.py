"""The account endpoints."""

from contextlib import suppress
from typing import ClassVar, cast

from rest_framework import mixins
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.status import HTTP_204_NO_CONTENT
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet, ViewSet
from rest_framework_simplejwt.exceptions import TokenError

from socialapi.exceptions import InvalidToken
from socialapi.network import client_network, client_region
from socialapi.parsing import BrowserMultiPartParser, JSONParser

from . import schema, serializers, tokens
from .authentication import BearerAuthentication, caller, current_session
from .export import Export
from .limits import ExportThrottle, SignUpThrottle
from .models import USER_AGENT_MAX, Origin, Session, SessionQuerySet, User
from .pagination import SessionPagination
from .passwords import find_user, tell_login, tell_refusal

WRONG = "The email or the password is wrong."
NO_STORE = {"Cache-Control": "no-store"}


def origin(request: Request) -> Origin:
    """Return what is kept of where a login or a refresh comes from."""
    text = filter(str.isprintable, request.headers.get("User-Agent", ""))
    return Origin("".join(text)[:USER_AGENT_MAX], client_region(request))


@schema.users
class UserViewSet(mixins.CreateModelMixin, mixins.RetrieveModelMixin, GenericViewSet[User]):
    """Sign up, and look at profiles."""

    queryset = User.objects.all()
    permission_classes = [AllowAny]

    def get_serializer_class(self) -> type[BaseSerializer[User]]:
        """Show everyone a profile, and new users their account."""
        if self.request.method == "POST":
            return serializers.SignUpSerializer
        return serializers.ProfileSerializer

    def get_throttles(self) -> list[BaseThrottle]:
        """Limit sign-ups alone."""
        return [SignUpThrottle()] if self.action == "create" else []


@schema.account
class AccountViewSet(mixins.RetrieveModelMixin, mixins.UpdateModelMixin, GenericViewSet[User]):
    """The caller's own account."""

    queryset = User.objects.all()
    serializer_classes: ClassVar[dict[str | None, type[BaseSerializer[User]]]] = {
        "partial_update": serializers.AccountUpdateSerializer,
        "destroy": serializers.PasswordSerializer,
        "change_password": serializers.PasswordChangeSerializer,
    }

    def get_serializer_class(self) -> type[BaseSerializer[User]]:
        """Take what each action needs."""
        return self.serializer_classes.get(self.action, serializers.AccountSerializer)

    def get_object(self) -> User:
        """The account is the caller's."""
        return caller(self.request)

    def destroy(self, request: Request) -> Response:
        """Delete the account; the database takes its posts and votes along."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        self.get_object().delete()
        return Response(status=HTTP_204_NO_CONTENT)

    @schema.change_password
    def change_password(self, request: Request) -> Response:
        """Set a new password, which ends every session."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = self.get_object()
        user.set_password(serializer.validated_data["new_password"])
        user.save(update_fields=["password"])
        return Response(status=HTTP_204_NO_CONTENT)


class ExportViewSet(ViewSet):
    """Take along all that is held about oneself."""

    throttle_classes = [ExportThrottle]

    @schema.export
    def retrieve(self, request: Request) -> Export:
        """Answer with the document, to a browser too."""
        return Export(caller(request))


class LoginViewSet(GenericViewSet[User]):
    """Email and password for tokens."""

    serializer_class = serializers.LoginSerializer
    # A session cookie is no business of a login, nor is the CSRF check that comes with one.
    authentication_classes = [BearerAuthentication]
    permission_classes = [AllowAny]
    parser_classes = [JSONParser, FormParser, BrowserMultiPartParser]

    @schema.login
    def create(self, request: Request) -> Response:
        """Start a session."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        # Once more if the password was changed, or its hash renewed, since it was checked.
        for _ in range(2):
            user = self.find_user(**serializer.validated_data)
            with suppress(User.DoesNotExist):
                pair = tokens.log_in(user, origin(request))
                tell_login(user)
                return Response(pair, headers=NO_STORE)
        raise AuthenticationFailed(WRONG)

    def find_user(self, email: str, password: str) -> User:
        """Return an active user; raises AuthenticationFailed, PermissionDenied or Throttled."""
        network = client_network(self.request)
        user = find_user(email, password, network)
        if user is None:
            raise AuthenticationFailed(WRONG)
        if not user.is_active:
            tell_refusal("suspended", user, network)
            raise PermissionDenied("This account is suspended.")
        return user


class TokenViewSet(GenericViewSet[User]):
    """Renew a session or end it. The refresh token is the credential, so no other is looked at."""

    serializer_class = serializers.RefreshSerializer
    authentication_classes = []
    permission_classes = [AllowAny]

    def refresh_token(self, request: Request) -> str:
        """Return the refresh token in the body."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return str(serializer.validated_data["refresh_token"])

    @schema.refresh
    def refresh(self, request: Request) -> Response:
        """Exchange a refresh token for new tokens."""
        try:
            pair = tokens.refresh(self.refresh_token(request), origin(request))
        except TokenError:
            raise InvalidToken from None
        if pair is None:
            raise InvalidToken
        return Response(pair, headers=NO_STORE)

    @schema.log_out
    def log_out(self, request: Request) -> Response:
        """End the session; once ended, it stays so."""
        try:
            tokens.log_out(self.refresh_token(request))
        except TokenError:
            raise InvalidToken from None
        return Response(status=HTTP_204_NO_CONTENT)


@schema.sessions
class SessionViewSet(mixins.DestroyModelMixin, GenericViewSet[Session]):
    """Look at one's own logins, and end them."""

    serializer_class = serializers.SessionSerializer
    pagination_class = SessionPagination

    def get_queryset(self) -> SessionQuerySet:
        """What is the caller's, and not over."""
        return caller(self.request).sessions.open()

    def list(self, request: Request) -> Response:
        """Answer with a page."""
        page = cast(SessionPagination, self.paginator)
        rows = page.read_page(request, user=caller(request).pk)
        current = current_session(request)
        found = [
            dict(zip(page.columns, row, strict=True)) | {"current": row[0] == current}
            for row in rows
        ]
        return Response(page.wrap(self.get_serializer(found, many=True).data))

    def perform_destroy(self, instance: Session) -> None:
        """Refuse its tokens from now on."""
        instance.end()

    @schema.end_other_sessions
    def destroy_others(self, request: Request) -> Response:
        """End all but the one that asks."""
        self.get_queryset().exclude(pk=current_session(request) or 0).end()
        return Response(status=HTTP_204_NO_CONTENT)
