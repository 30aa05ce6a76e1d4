"""An e-mail to MANAGERS for each payment that needs review: ``INSTALLED_APPS += ["snipcart_checkout.contrib.mail"]``."""
