FROM python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS base
# Nothing is written into the image, which may be mounted read-only; the build compiles everything.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app

FROM base AS build
RUN python -m venv --without-pip /venv
# `monitoring` adds what SENTRY_DSN and OTEL_EXPORTER_OTLP_ENDPOINT need.
ARG REQUIREMENTS=prod
COPY requirements/$REQUIREMENTS.txt requirements/
RUN pip --python /venv/bin/python install --no-cache-dir --require-hashes \
    -r "requirements/$REQUIREMENTS.txt"
COPY . .
# The commit or tag that this is.
ARG REVISION=
RUN python -m compileall -q . && rm -r requirements && echo "$REVISION" >REVISION

# For compose.yml, which mounts the checkout at /app.
FROM base AS development
COPY requirements/dev.txt requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/dev.txt

FROM base
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin socialapi
COPY --from=build /venv /venv
COPY --from=build /app /app
ENV PORT=8000
USER 10001
EXPOSE 8000
# A host that is not allowed would be refused, this machine's own included.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", "\
import os; from pathlib import Path; from urllib.request import Request, urlopen; \
file = Path(os.environ.get('SECRETS_DIR', '/run/secrets'), 'ALLOWED_HOSTS'); \
hosts = os.environ.get('ALLOWED_HOSTS') or file.read_text(); \
urlopen(Request(f\"http://127.0.0.1:{os.environ['PORT']}/health/live\", \
headers={'Host': hosts.split(',')[0].strip(' .\\n')}), timeout=4)"]
CMD ["gunicorn"]
