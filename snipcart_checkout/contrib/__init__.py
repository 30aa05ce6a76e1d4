"""Optional parts that a site plugs in by name: nothing else of the package imports them."""
