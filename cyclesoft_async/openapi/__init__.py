"""OpenAPI 3.1 of the typed endpoints and of the webhooks, made from their descriptions, methods and models.

::

    python -m cyclesoft_async.openapi > openapi.json

    document.py   the document
    recording.py  which parameters a method sends, and where
    schemas.py    JSON schemas of models
    hints.py      type hints
"""

from .document import document

__all__ = ["document"]
