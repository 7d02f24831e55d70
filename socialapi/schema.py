"""What drf-spectacular needs to be told to describe the API to the letter."""

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema


class AutoSchema(SpectacularAutoSchema):
    """Adds the errors that each operation can answer with."""
