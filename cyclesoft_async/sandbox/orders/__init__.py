"""Workshop orders of the sandbox: seeded, changed, queried and invoiced."""
