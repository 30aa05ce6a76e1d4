"""The merchant's server side of Snipcart's custom payment gateway, as a Django app."""

__version__ = "0.1.0"
