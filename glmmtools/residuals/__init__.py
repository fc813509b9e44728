"""Simulated residuals and their tests.

Imports `means` and below.
"""
