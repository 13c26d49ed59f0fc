"""PostgreSQL plumbing that quota, inbox, store and workers share."""
