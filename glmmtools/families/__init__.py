"""Response distributions and links: one object each, the single source of truth about it.

Imports `shared`.
"""
