"""Pictures of other programs: what their metadata says, in A1111's keys as far as requests here can mean it.

One reader a program, in a file of its own; `programs.py` is the table that tries them in order. What a reader cannot
put into a request it names, so that the user is told, and the entry itself is shown as it is.
"""
