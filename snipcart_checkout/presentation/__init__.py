"""What the shopper reads: formats, addresses, languages, and what templates get, as finished strings.

Templates only place these values: nothing is formatted while a page is rendered.
"""
