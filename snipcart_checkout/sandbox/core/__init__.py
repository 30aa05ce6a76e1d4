"""Snipcart itself, as one object: what it accepts, answers, remembers, and how it can fail.

The sandbox puts pages on it, and the pytest plugin of ``snipcart_checkout.testing`` puts fixtures on it. Nothing here
knows a view, a form or a test, and nothing imports the app that is tried with it.
"""
