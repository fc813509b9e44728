"""Marginal means over a reference grid, and contrasts between them.

Imports `inference` and below.
"""
