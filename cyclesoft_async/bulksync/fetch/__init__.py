"""Reading the lists: plan, concurrent readers, refetches, and the stream without a database."""
