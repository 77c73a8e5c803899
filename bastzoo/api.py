"""The Python API: what `import bastzoo as bz` offers by name.

Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike

    from bastzoo.boards.frames import Runs
    from bastzoo.metrics.localization import Metrics
    from bastzoo.model import BinauralLocalizer
    from bastzoo.models.localizer import Localizer
    from bastzoo.registry import Component


def components(kind: str, pattern: str = "*") -> list[Component]:
    """The records of one kind whose name matches a shell wildcard, in the order of registration.

    A family (`timm/*`) is one record for `*`, and its members for a pattern that names it.
    Raises ComponentError for an unknown kind.

    >>> import bastzoo as bz
    >>> [component.name for component in bz.components("integration", "S*")]
    ['SUB']
    """
    from bastzoo.plugins import default_registry

    return default_registry().match(kind, pattern)


def load(
    model: str | Path = "default", *, out: str | Path = "runs", device: str = "cpu"
) -> Localizer:
    """A model with weights, ready to be asked: `bz.load("default")("recording.wav").azimuth`.

    model: a name (`list_models(pretrained=True)`); the folder of a package (`bastzoo package`), or its
        `model.safetensors`; a run, by folder, key, or the beginning of either; a checkpoint of BAST (.pkl);
        `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION` of Hugging Face's hub.
    out: the folder that runs are looked for in. device: `cpu`, `cuda` or `mps`.

    Nothing in a file is executed. Raises a BastzooError, in a sentence, for what cannot be loaded.

    >>> import bastzoo as bz
    >>> bz.load("default").window_seconds
    0.5
    """
    from bastzoo.models.loading import load_localizer
    from bastzoo.plugins import default_registry

    return load_localizer(model, registry=default_registry(), out=out, device=device)


def create_model(
    backbone: str,
    *,
    integration: str = "SUB",
    head: str = "azimuth",
    frontend: str = "spectrogram",
    sharing: str = "SP",
    preset: str = "quick",
    classes: tuple[str, ...] = (),
) -> BinauralLocalizer:
    """An untrained network of named components: clips `[B, 2, 8000]` in, named outputs out.

    preset: whose sizes it has, by name or file. classes: their names, for heads that answer one.
    torch's generator decides the weights (`torch.manual_seed`). Raises ComponentError for an unknown
    name and CombinationError for parts that do not fit each other.

    >>> import bastzoo as bz
    >>> model = bz.create_model("mamba", integration="SUB")
    >>> type(model).__name__, model.sharing
    ('BinauralLocalizer', 'SP')
    """
    from bastzoo.experiment import MODEL_KINDS, ResolvedComponent, check_fit, load_preset
    from bastzoo.models.building import build_model
    from bastzoo.plugins import default_registry

    registry, sizes = default_registry(), load_preset(preset)
    names = dict(zip(MODEL_KINDS, (frontend, backbone, integration, head), strict=True))
    found = {kind: registry.get(kind, name) for kind, name in names.items()}
    check_fit(found["backbone"], found["frontend"])
    resolved = {kind: ResolvedComponent.of(part, sizes) for kind, part in found.items()}
    if classes:
        parameters = {**resolved["head"].parameters, "classes": list(classes)}
        resolved["head"] = resolved["head"].model_copy(update={"parameters": parameters})
    return build_model(registry, resolved, sharing=sharing, size=sizes.model.model_dump())


def list_models(pattern: str = "*", *, pretrained: bool = False) -> list[str]:
    """The combinations `backbone/INTEGRATION/LOSS/SHARING` that fit the head `azimuth`, by wildcard.

    All components that are registered count, built in or of plugins, also those that cannot run
    here; families of backbones are left out. Case does not matter.

    pretrained: the names of models with weights instead, for `load`.

    >>> import bastzoo as bz
    >>> bz.list_models("mamba/SUB/MIX/*")
    ['mamba/SUB/MIX/SP', 'mamba/SUB/MIX/NSP']
    >>> "default" in bz.list_models(pretrained=True)
    True
    """
    if pretrained:
        return [component.name for component in components("model", pattern)]
    from bastzoo.bench.grid import PAPER_AXES, combinations
    from bastzoo.experiment import SHARINGS
    from bastzoo.plugins import default_registry

    registry = default_registry()
    axes = {kind: tuple(registry.names(kind)) for kind in ("backbone", "integration", "loss")}
    axes |= {"sharing": SHARINGS, "head": PAPER_AXES["head"], "frontend": PAPER_AXES["frontend"]}
    names = (
        f"{c.backbone}/{c.integration}/{c.loss}/{c.sharing}"
        for c in combinations(axes, registry, skip_misfits=True)
    )
    return [name for name in dict.fromkeys(names) if fnmatchcase(name.lower(), pattern.lower())]


def load_runs(folder: str | Path = "runs") -> Runs:
    """The runs of a folder: `.frame()` (pandas), `.leaderboard()`, `.compare("vanilla-SUB", "mamba-SUB")`.

    folder: where `bastzoo bench` wrote, or one of record files, as under leaderboards/records/ here.
    Raises RecordError when there is no such folder; a record that cannot be read is named in `.faults`.

    >>> import bastzoo as bz
    >>> runs = bz.load_runs("leaderboards/records/plugins")
    >>> frame = runs.frame()
    >>> best = frame[frame["kind"] == "model"].sort_values("ad_mean").iloc[0]
    >>> best["backbone"], best["frontend"], round(float(best["ad_mean"]), 2)
    ('vanilla', 'btff', 2.27)
    """
    from bastzoo.boards.frames import Runs

    return Runs.of(folder)


def localization_metrics(
    predicted: ArrayLike, true: ArrayLike, *, sounds: ArrayLike | None = None
) -> Metrics:
    """Every metric of docs/protocol.md that directions alone give: degrees, and shares of 0 to 1.

    predicted: `[n, 3]`, x front, y left, z up, any length; zero or NaN for no direction.
    true: `[n, 3]`, of any length but zero.
    sounds: `[n]`, which sound each clip was made from, as integers: pairs the sides of the
        test of the hemifield gap. None: every clip has a sound of its own, so
        `hemifield_gap_p` is None.

    Raises ValueError for arrays of other shapes and for a true direction that is none.

    >>> import bastzoo as bz
    >>> figures = bz.localization_metrics([[1, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 0, 0]])
    >>> figures["clips"], figures["ad_mean"], figures["acc_5"]
    (2, 45.0, 0.5)
    """
    from bastzoo.metrics import functions

    return functions.localization_metrics(predicted, true, sounds=sounds)
