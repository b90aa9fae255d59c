# ruff: noqa: INP001 (it is run, not imported)
"""What run_autograder runs: the command line of TwinOS, from this archive alone."""

import io
import json
import re
import sys
from contextlib import redirect_stderr
from pathlib import Path

HOME = Path(__file__).resolve().parent
ROOT = Path(sys.argv[1])
LAB, LABS = json.loads((HOME / "lab.json").read_text(encoding="utf-8"))
VERSION = f"cp{sys.version_info[0]}{sys.version_info[1]}"
sys.path[:0] = [str(HOME / each) for each in ("tree", "packages/any", f"packages/{VERSION}")]


def student() -> str:
    """Who handed it in, as Gradescope knows: the seed follows from it."""
    try:
        data = json.loads((ROOT / "submission_metadata.json").read_text(encoding="utf-8"))
        name = ",".join(sorted(str(user["email"]) for user in data["users"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return re.sub(r"[^\w.@+-]", "_", name, flags=re.ASCII)[:100]


def main() -> int:
    """Grade, and leave a results.json whatever happens."""
    from lab.cli import main as twinos  # noqa: PLC0415 (the import path is set above)

    results = ROOT / "results" / "results.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    failed = {"score": 0, "output": "The work could not be graded."}
    results.write_text(json.dumps(failed), encoding="utf-8")
    given = ["lab", "grade", LAB, "--labs", str(HOME / "labs" / LABS), "--hidden"]
    work = ["--in", str(ROOT / "submission"), "--student", student()]
    said = io.StringIO()
    with redirect_stderr(said):
        status = twinos([*given, *work, "--gradescope", str(results)])
    if status > 1:
        failed["output"] = said.getvalue()
        results.write_text(json.dumps(failed), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
