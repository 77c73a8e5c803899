"""What got slower? The ratios of the last `make perf` beside those of `baseline.json`.

Run with: make perf-check, or python benchmarks/check.py. With --accept the last ones become the baseline.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
BASELINE, FOUND = HERE / "baseline.json", HERE.parent / "build" / "ratios.json"
TOLERANCE = 0.20


def slower(baseline: dict[str, float], found: dict[str, float]) -> list[str]:
    """A line for each ratio that fell by more than the tolerance, the worst first."""
    changes = {name: found[name] / then - 1 for name, then in baseline.items() if name in found}
    return [
        f"{100 * change:+.0f} %  {name}: {baseline[name]:.3g} × then, {found[name]:.3g} × now"
        for name, change in sorted(changes.items(), key=lambda item: item[1])
        if change < -TOLERANCE
    ]


def main(words: list[str]) -> int:
    """Compare, or accept. Returns the exit code: 1 where something got slower."""
    if not FOUND.exists():
        print("There are no ratios yet: run `make perf` first.")
        return 1
    found = json.loads(FOUND.read_text(encoding="utf-8"))
    if words == ["--accept"]:
        BASELINE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"{len(found)} ratios are the baseline now.")
        return 0
    if not BASELINE.exists():
        print(
            "There is no baseline yet: `python benchmarks/check.py --accept` makes these ratios it."
        )
        return 1
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    lines = slower(baseline, found)
    missing = sorted(baseline.keys() - found.keys())
    print("\n".join(lines) or f"Nothing of {len(found)} is slower by more than 20 %.")
    if missing:
        print(f"Not measured: {', '.join(missing)}.")
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
