"""What people write, read with positions: service definitions and configuration documents.

From the bottom up: ``tree`` (text → nodes), ``shapes`` (what a payload class accepts), ``decoder``
(nodes → payload or problems), ``service`` and ``documents`` (the two kinds of files), ``source``
(files, watched), ``validation`` (paths → problems, for people). Errors are values: nothing here
raises because of what a file says.
"""
