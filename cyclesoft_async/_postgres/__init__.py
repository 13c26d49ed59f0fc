"""PostgreSQL plumbing that quota, inbox, store and workers share (extra: postgres).

::

    dsn.py          parses a URL, and builds the parameters of every connection
    connect.py      connects, with the settings that every connection needs
    errors.py       translates the driver's errors to those of the caller
    migrations.py   creates, upgrades and checks tables
    job_queue.py    Procrastinate's tables and its App
"""
