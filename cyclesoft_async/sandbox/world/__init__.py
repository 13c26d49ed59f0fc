"""Records of the sandbox, and what holds between them."""
