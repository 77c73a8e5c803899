"""The card of a model: `README.md` in the form that Hugging Face's hub reads."""

from __future__ import annotations

import json

from bastzoo.models.sharing.record import ModelRecord, Tested

_COLUMNS = (
    ("ad_mean", "AD", "{:.2f}°"),
    ("ad_median", "Median", "{:.2f}°"),
    ("front_back_rate", "Front-back", "{:.1%}"),
    ("class_accuracy", "Class", "{:.1%}"),
)


def card(record: ModelRecord) -> str:
    """The text of a model card: YAML head, how to use it, what it is worth, what it is blind to.

    Strings of the head are written as JSON, which YAML reads.
    """
    summary = record.summary or "A binaural sound localizer."
    parts = [
        _head(record),
        f"# {record.name}\n\n{summary}\n",
        _use(record),
        _table(record.tested),
        _design(record),
        _limits(record),
    ]
    if record.citations:
        cited = "\n".join(f"- {citation}" for citation in record.citations)
        parts.append(f"## To be cited\n\n{cited}\n")
    return "\n".join(part for part in parts if part)


def _head(record: ModelRecord) -> str:
    lines = [
        "---",
        "library_name: bastzoo",
        f"license: {json.dumps(record.licence.lower() or 'other')}",
        "pipeline_tag: audio-classification",
        "tags:",
        *[
            f"- {json.dumps(tag)}"
            for tag in dict.fromkeys(("binaural", "sound-localization", *_names(record)))
        ],
    ]
    if record.tested:
        lines += ["model-index:", f"- name: {json.dumps(record.name)}", "  results:"]
        for tested in record.tested:
            if "ad_mean" not in tested.figures:
                continue
            lines += [
                "  - task: {type: audio-classification, name: sound localization}",
                f"    dataset: {{name: {json.dumps(tested.test)}, type: bastzoo}}",
                f"    metrics: [{{type: ad_mean, name: mean angular distance (degrees), "
                f"value: {tested.figures['ad_mean']:.3f}}}]",
            ]
    return "\n".join([*lines, "---", ""])


def _use(record: ModelRecord) -> str:
    return f"""## Use

    bastzoo predict PATH/OF/THIS/FOLDER recording.wav

```python
import bastzoo as bz

localizer = bz.load("PATH/OF/THIS/FOLDER")
prediction = localizer("recording.wav")
prediction.times, prediction.azimuth
```

Two ears in (channel 0 the left one), any rate, any length; an answer on every window of
{1000 * record.clip_samples / record.sample_rate:.0f} ms. Azimuths are degrees, counter-clockwise:
0 front, +90 left.
"""


def _table(tested: list[Tested]) -> str:
    if not tested:
        return ""
    shown = [column for column in _COLUMNS if any(column[0] in test.figures for test in tested)]
    lines = [
        "| Test | Clips | " + " | ".join(label for _, label, _ in shown) + " |",
        "|:---|---:|" + "---:|" * len(shown),
    ]
    for test in tested:
        cells = [
            form.format(test.figures[name]) if name in test.figures else "-"
            for name, _, form in shown
        ]
        lines.append(f"| {test.test} | {test.clips:,} | {' | '.join(cells)} |")
    words = (
        "AD is the mean angular distance between answer and truth, front-back the share of answers on the "
        "wrong side of the ears; docs/protocol.md of bastzoo defines them."
    )
    return "## What it is worth\n\n" + "\n".join(lines) + f"\n\n{words}\n"


def _design(record: ModelRecord) -> str:
    lines = [
        f"- {kind}: `{component.name}`"
        + (f" of {component.distribution}" if component.distribution not in ("", "bastzoo") else "")
        for kind, component in record.components.items()
    ]
    lines.append(f"- ear encoders: {record.sharing}; {record.parameters:,} parameters")
    trained = record.trained_on
    if trained is None:
        return "## What it is\n\n" + "\n".join(lines) + "\n"
    heard = ", ".join(filter(None, [trained.environment, trained.condition, trained.source]))
    lines += [
        f"- trained on {heard}; loss {trained.loss or 'unknown'}, {trained.steps:,} steps, seed "
        f"{trained.seed}, precision {'float32' if trained.precision == 'no' else trained.precision}",
    ]
    text = "## What it is\n\n" + "\n".join(lines) + "\n"
    return text + (f"\nMade by\n\n    {trained.command}\n" if trained.command else "")


def _limits(record: ModelRecord) -> str:
    trained = record.trained_on
    lines = [f"- It cannot tell: {fact}." for fact in record.blind_to]
    lines.append("- One sound at a time: of several it answers one direction, often between them.")
    if not record.has_elevation:
        lines.append("- The horizontal plane only: a sound above or below gets an azimuth.")
    if trained is not None:
        lines.append(
            f"- Outside what it was trained on ({trained.environment}) errors grow; the table says by how "
            "much where that was tested."
        )
    return "## What it is blind to, and limits\n\n" + "\n".join(lines) + "\n"


def _names(record: ModelRecord) -> list[str]:
    return [record.components[kind].name for kind in ("backbone", "frontend")]
