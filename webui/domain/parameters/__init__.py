"""The table of fields: for each leaf of a request how the infotext, A1111's API and the page call it.

`table.py` puts the rows together; the rows stand in the other files, in the order in which their keys stand in a text.
What a row can say is in `row.py`. CONTRIBUTING.md tells how a field is added.
"""
