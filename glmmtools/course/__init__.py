"""What only the lessons need: exercises and their checks, data sets, preflight, explorers.

May import every room. Importing this package imports nothing: `preflight` must speak where NumPy
fails.
"""
