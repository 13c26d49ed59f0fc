"""Sandboxes of the vendors that the bridges call."""
