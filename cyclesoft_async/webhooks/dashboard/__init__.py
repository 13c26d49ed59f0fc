"""Dashboard: pages on which operators look at an inbox, and replay or dismiss deliveries. Extra `dashboard`.

::

    routes.py   requests, and what they may do
    access.py   operators, sign-in, CSRF tokens
    pages.py    HTML, by htpy: typed Python functions that escape every text
    figures.py  counts and charts, kept for some seconds
    jobs.py     actions on many deliveries
    masking.py  bodies with people's data masked
    charts.py   bar charts
    static/     style sheet, and htmx with its licence
"""

from .access import Authorize, Operator, PasswordFile
from .routes import add_dashboard

__all__ = ["Authorize", "Operator", "PasswordFile", "add_dashboard"]
