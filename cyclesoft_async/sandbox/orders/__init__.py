"""The sandbox's workshop orders: seeded, stored, queried and changed."""
