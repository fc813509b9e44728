"""The exercises: a module a lesson with a tuple ``EXERCISES``, and the kinds that they are of."""
