"""Export: tables and views of a store as files."""
