"""Hand a repair order or its invoice on to another system."""
