"""The marginal likelihood, its derivatives, the search for its maximum, the diagnosis.

Imports `formula` and below.
"""
