"""Tracing: who asked whom for what, as a chart in the terminal and as events for Perfetto."""
