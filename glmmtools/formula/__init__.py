"""From a formula and a data frame to numbers, and a model at given parameters.

Imports `covariances` and below.
"""
