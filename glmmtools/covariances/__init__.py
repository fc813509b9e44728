"""Covariance structures of random terms: one object each, from parameters to G.

Imports `families` and below.
"""
