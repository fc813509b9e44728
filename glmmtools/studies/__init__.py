"""Power, coverage and recovery of a planned trial, over a grid of sizes.

Imports `designs` and below.
"""
