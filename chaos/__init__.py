"""Breaks what the service stands on, while clients use it, and checks that nothing is lost."""
