"""A small shop that takes its payments with snipcart_checkout, as any project would."""
