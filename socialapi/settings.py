"""Django's settings. What differs between machines comes from `environment`."""

from datetime import timedelta
from typing import Any

import dj_database_url
from corsheaders.defaults import default_headers
from django.utils.csp import CSP

from .environment import BASE_DIR, environment
from .logs import configuration

SECRET_KEY = environment.SECRET_KEY
SECRET_KEY_FALLBACKS = environment.SECRET_KEY_FALLBACKS
DEBUG = environment.DEBUG
ALLOWED_HOSTS = environment.ALLOWED_HOSTS
ROOT_URLCONF = "socialapi.urls"
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "accounts",
    "posts",
    "votes",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    # The outermost, so that errors of the others take its shape too.
    "socialapi.errors.ProblemMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "socialapi" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# One connection for each thread of the pool, kept open. One that the server dropped is noticed
# when it is used (`socialapi.database`), which costs nothing while all is well.
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(environment.DATABASE_URL, conn_max_age=None)
}
DATABASES["default"]["OPTIONS"] = {
    "application_name": "socialapi",
    "connect_timeout": 5,
} | DATABASES["default"].get("OPTIONS", {})
# PgBouncer in transaction mode keeps no cursor between statements.
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True

# Uploads do not exist, and no request needs more than this (bytes).
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.EmailBackend"]
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
PASSWORD_HASHERS = [
    "accounts.hashers.Argon2idHasher",
    "accounts.hashers.TruncatingBCryptHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "accounts.validators.MaximumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

SIMPLE_JWT = {
    "ALGORITHM": environment.ALGORITHM,
    "SIGNING_KEY": SECRET_KEY,
    "ISSUER": "socialapi",
    "AUDIENCE": "socialapi",
    "USER_ID_CLAIM": "sub",
    "TOKEN_TYPE_CLAIM": "token_type",
}
ACCESS_TOKEN_LIFETIME = timedelta(minutes=environment.ACCESS_TOKEN_EXPIRE_MINUTES)
REFRESH_TOKEN_LIFETIME = timedelta(days=environment.REFRESH_TOKEN_EXPIRE_DAYS)
# However often a login is refreshed, it ends after this.
SESSION_LIFETIME = timedelta(days=90)
THROTTLE = environment.THROTTLE
TRUSTED_PROXIES = environment.TRUSTED_PROXIES
METRICS_TOKEN = environment.METRICS_TOKEN
REVISION = environment.REVISION

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": [
        "socialapi.rendering.JSONRenderer",
        "socialapi.rendering.BrowsableAPIRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": [
        "socialapi.parsing.JSONParser",
        "socialapi.parsing.BrowserFormParser",
        "socialapi.parsing.BrowserMultiPartParser",
    ],
    "DEFAULT_SCHEMA_CLASS": "socialapi.schema.AutoSchema",
    "EXCEPTION_HANDLER": "socialapi.errors.handle_exception",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    # `?format=` is an unknown parameter like any other, and ignored.
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Social API",
    "DESCRIPTION": (
        "Sign up, log in, write posts, search them, and vote on each other's posts.\n\n"
        "Every path answers with and without a slash at its end. Times are ISO 8601 in UTC. What "
        "is sent beyond what is described is ignored. Errors are problem details (RFC 9457). "
        "The sessions by which browsers see these pages are not described here."
    ),
    "VERSION": "1.0.0",
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "SERVERS": [{"url": "/", "description": "Where this document comes from."}],
    "TAGS": [
        {"name": "accounts", "description": "Signing up, profiles, and one's own account."},
        {"name": "sessions", "description": "Tokens: getting, renewing and ending them."},
        {"name": "posts", "description": "Writing, reading and searching posts."},
        {"name": "votes", "description": "One vote for each user and post."},
        {"name": "service", "description": "The way in, and whether the service is well."},
    ],
    "OAS_VERSION": "3.1.0",
    "PREPROCESSING_HOOKS": ["socialapi.schema.arrange"],
    # The few values of an enumeration stand where they are used.
    "POSTPROCESSING_HOOKS": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "AUTHENTICATION_WHITELIST": ["accounts.authentication.BearerAuthentication"],
    "RENDERER_WHITELIST": ["socialapi.rendering.JSONRenderer"],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": True, "displayRequestDuration": True},
}

CORS_ALLOWED_ORIGINS = environment.CORS_ALLOWED_ORIGINS
# A page that resumes a stream by itself says where; EventSource need not be allowed to.
CORS_ALLOW_HEADERS = [*default_headers, "last-event-id"]
CORS_EXPOSE_HEADERS = [
    "ETag",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "socialapi" / "static"]
# Files are served from where they are, and never gathered.
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

SESSION_ENGINE = "socialapi.sessions"
CSRF_TRUSTED_ORIGINS = environment.CSRF_TRUSTED_ORIGINS
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = not DEBUG
SECURE_HSTS_SECONDS = 0 if DEBUG else 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
# Only a proxy can have received HTTPS. Without one, a redirect to HTTPS would lead nowhere.
SECURE_SSL_REDIRECT = TRUSTED_PROXIES > 0 and not DEBUG
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SILENCED_SYSTEM_CHECKS = [
    "auth.W004",  # The email is unique on its lower case, which the check does not see.
    "security.W008",  # The redirect to HTTPS follows TRUSTED_PROXIES, see above.
]
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    "form-action": [CSP.SELF],
}

LOGGING = configuration(environment.LOG_LEVEL, is_readable=DEBUG)
