"""A module that cannot be imported, as a merchant's may be."""

raise RuntimeError("this backend is broken")
