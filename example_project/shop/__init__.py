"""The shop itself: what it sells, its front page, and what it hangs onto snipcart_checkout."""
