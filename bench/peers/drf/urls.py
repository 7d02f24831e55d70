"""The routes."""

from django.urls import path
from rest_framework.routers import SimpleRouter
from rest_framework_simplejwt.views import TokenObtainPairView

from .serializers import LoginSerializer
from .viewsets import PostViewSet, VoteView

router = SimpleRouter(trailing_slash=False)
router.register("posts", PostViewSet, basename="post")
urlpatterns = [
    *router.urls,
    path("vote", VoteView.as_view()),
    path("login", TokenObtainPairView.as_view(serializer_class=LoginSerializer)),
]
