"""Class material: six labs, with handouts, tests, rubrics, solutions; see docs/teaching.md."""
