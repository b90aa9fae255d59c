"""The ladder: what each step from a method call to another process on another CPU adds."""
