"""How fast the checkout page is, beside the view most people would write first. Run with ``make bench``."""
