"""Whether our packages are ours: their names are plain words that others may use as well."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lab.refusal import Refusal

PACKAGES: Final = ("twinos", "kernels", "servers", "workloads", "lab")


def check() -> None:
    """Make sure that all our packages come from one place.

    Raises:
        Refusal: one is missing, or another package of that name comes first on the import path.
    """
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None:
            raise Refusal(f"the package {name!r} is missing beside {home}; install TwinOS again.")
        places = [Path(place).resolve() for place in spec.submodule_search_locations or ()]
        if home / name not in places:
            found = places[0] if places else spec.origin
            raise Refusal(
                f"{name!r} is imported from {found} instead of {home / name}: another package "
                "of that name shadows ours; uninstall it, or use a virtual environment."
            )
