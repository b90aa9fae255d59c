"""Workloads: programs that use services, each with a check of its own result.

They know services and nothing of kernels. `workload` tells what one is, `catalogue` finds them.
"""
