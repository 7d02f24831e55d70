"""A page that shows what the API can do; all that it does, it does by the API."""

from drf_spectacular.utils import extend_schema
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from .docs import DocumentView


class DemoView(DocumentView):
    """The page, the same for everyone."""

    renderer_classes = [TemplateHTMLRenderer]
    template_name = "demo.html"

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """Show it."""
        return Response()
