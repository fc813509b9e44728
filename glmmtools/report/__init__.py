"""A fit in words: summary, equation, tables of models, results paragraph.

Imports `residuals` and below.
"""
