"""Every page and state of the checkout side by side, for whoever changes its look. With DEBUG only.

It stands beside the sandbox and not inside: the sandbox speaks HTTP and knows nothing of ours, and over HTTP many
states can only be reached by really paying, some of them never on purpose. Here the views that serve shoppers render
made-up orders and payments that are in no table, so that a theme is seen exactly as they show it.
"""
