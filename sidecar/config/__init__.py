"""What the user wrote: one YAML file, or the usual environment variables, checked as a whole.

Belongs here: the shape of the file, its checks (every problem with its path), its explanation.
Does not: building anything from it (app), watching the file (app), any default of a provider.
"""
