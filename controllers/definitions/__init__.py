"""Readers of the files that users write, with positions: definitions and configuration documents.

From the bottom up: ``yaml_tree`` (text → nodes), ``schema`` (what a payload class accepts),
``decoder`` (nodes → payload or problems), ``service`` and ``documents`` (the two kinds of files),
``bounded_read`` (file → bytes), ``scanner`` (directory → definitions), ``validation`` (paths →
problems, for users). Errors are values: nothing here raises because of the content of a file.
"""
