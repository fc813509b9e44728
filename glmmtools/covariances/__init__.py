"""Covariance structures: one class each, the single source of truth about it.

``base`` says what every structure can be asked; ``columns``, ``levels`` (of a factor) and
``series`` hold the structures, ``lookup`` registers them; ``working`` has those of
population-averaged models. Imports `families` and below.
"""
