"""What the page asks of the server beside its forms: one stream of events, commands on jobs, pictures of jobs.

Mounted with and without `--api`, behind the same guard. Not part of the public API: it changes with the page.
"""
