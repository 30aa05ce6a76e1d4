"""A second Django app that plays Snipcart, for development: it speaks HTTP with the merchant's server and nothing else."""
