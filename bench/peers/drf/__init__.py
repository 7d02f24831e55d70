"""Stock Django REST framework: model viewsets and serializers, SimpleJWT, cursor pages, WSGI."""
