"""Are gradient norms, and the updates that they lead to, within the normal range?

Evidence: global norms before clipping by epoch, norms and update ratios by layer, exactly-zero and clipped shares.
Bounds after AutoTrainer (first ÷ last layer below 1e-3 or above 70, zero share 0.7) and the usual 1e-3 of update ÷
weight norms; medians over epochs, so that a warm-up epoch decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlops_debugger.checks import Finding, NamedCheck, RunView, _bands
from mlops_debugger.checks._common import FloatArray, Measure, array, columns, finite, ranked, vector, words

_TINY = 1e-12


def _global_norms(view: RunView) -> Iterator[Measure]:
    norms = vector(view, "epoch.grad_norm")
    peaks = vector(view, "epoch.grad_norm_max")
    seen = norms if norms is not None else peaks
    if seen is None:
        return
    peaks = seen if peaks is None else peaks
    bad = int(np.sum(~np.isfinite(seen)) + np.sum(~np.isfinite(peaks)))
    if bad:
        yield Measure("nonfinite_norms", bad, len(seen), f"{bad} epoch values of the gradient norm are not finite.")
    norms, peaks = np.abs(finite(seen)), np.abs(finite(peaks))
    middle, top = float(np.median(norms)), float(peaks.max())
    where = f"global gradient norm before clipping over {len(norms)} epochs"
    at = int(np.argmax(peaks)) + 1
    yield Measure("largest_norm", top, len(norms), f"The largest gradient norm is {top:.3g}, in epoch {at}.", where)
    yield Measure(
        "peak_to_median",
        top / max(middle, _TINY),
        len(norms),
        f"The largest gradient norm ({top:.3g}, epoch {at}) is {top / max(middle, _TINY):.3g} times the median of "
        f"{middle:.3g}.",
        where,
    )
    early = float(np.median(norms[: max(1, len(norms) // 3)]))
    yield Measure(
        "early_norm",
        early,
        len(norms),
        f"The median gradient norm of the first third of training is {early:.3g}.",
        where,
    )


def _shares(view: RunView) -> Iterator[Measure]:
    for name, what in (("zero_share", "gradient entries are exactly zero"), ("clipped_share", "steps are clipped")):
        values = vector(view, f"epoch.{name}")
        if values is None or not np.isfinite(values).any():
            continue
        middle = float(np.median(values[np.isfinite(values)]))
        says = f"In the median epoch {middle:.1%} of the {what}."
        yield Measure(name, middle, len(values), says, f"{len(values)} epochs")


def _by_layer(view: RunView) -> Iterator[Measure]:
    norms = columns(view, "epoch.layer_grad_norm")
    if norms is None or array(view, "epoch.layer_grad_norm") is None or norms.shape[1] < 2:
        return
    names, trained = _layers(view, norms.shape[1])
    typical = _typical(norms)[trained]
    kept = [name for name, use in zip(names, trained, strict=True) if use]
    if len(typical) < 2 or not typical.max() > 0:
        return
    ratio = typical[0] / max(float(typical[-1]), _TINY)
    says = (
        f"The median gradient norm of the first layer ({kept[0]}) is {ratio:.3g} times that of the last ({kept[-1]})."
    )
    worst = tuple(zip(kept, (float(v) for v in typical), strict=True))[:5]
    where = f"{len(kept)} trained layers over {len(norms)} epochs"
    yield Measure("first_to_last_low", ratio, len(norms), says, where, worst)
    yield Measure("first_to_last_high", ratio, len(norms), says, where, worst)


def _updates(view: RunView) -> Iterator[Measure]:
    ratios = columns(view, "epoch.layer_update_ratio")
    if ratios is None:
        return
    names, trained = _layers(view, ratios.shape[1])
    where = f"{ratios.shape[1]} layers over {len(ratios)} epochs"
    typical = _typical(ratios)
    untrained = int((~trained).sum())
    if untrained:
        listed = ", ".join(n for n, use in zip(names, trained, strict=True) if not use)
        says = f"{untrained} of {len(names)} layers receive no updates: {listed}."
        yield Measure("layers_without_updates", untrained, len(names), says, where)
    still = trained & ~(typical > 0)
    if still.any():
        listed = ", ".join(n for n, s in zip(names, still, strict=True) if s)
        says = f"{int(still.sum())} trainable layers did not move in the median epoch: {listed}."
        yield Measure("unmoved_layers", int(still.sum()), len(names), says, where)
    moving = typical[trained & (typical > 0)]
    if not moving.size:
        return
    kept = [n for n, use in zip(names, trained & (typical > 0), strict=True) if use]
    middle, top = float(np.median(moving)), float(moving.max())
    at = kept[int(np.argmax(moving))]
    worst = ranked(kept, moving, 5)
    says = f"The update of a median layer is {middle:.3g} of its weights' norm."
    yield Measure("update_ratio_low", middle, len(ratios), says, where, worst)
    says = f"The update of layer {at} is {top:.3g} of its weights' norm."
    yield Measure("update_ratio_high", top, len(ratios), says, where, worst)
    spread = top / max(float(moving.min()), _TINY)
    says = f"Updates relative to weights differ {spread:.3g}-fold between layers, {at} moving most."
    yield Measure("update_spread", spread, len(ratios), says, where, worst)


def _layers(view: RunView, count: int) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Names of the layers, and which of them the run says it trains."""
    names = words(view, "layers")
    if len(names) != count:
        names = [f"layer {position}" for position in range(count)]
    noted = view.meta.get("trainable")
    trained = np.ones(count, dtype=bool)
    if isinstance(noted, list | tuple) and len(noted) == count:
        trained = np.array([item is not False for item in noted], dtype=bool)
    return names, trained


def _typical(values: FloatArray) -> FloatArray:
    """Median over epochs, the first one apart where there are enough."""
    used = values[1:] if len(values) >= 4 else values
    return np.asarray(np.median(np.abs(finite(used)), axis=0), dtype=np.float64)


PARTS: tuple[_bands.Part, ...] = (_global_norms, _shares, _by_layer, _updates)


def run(view: RunView) -> Finding:
    """Norms and update ratios against the healthy range."""
    return _bands.judge("gradient_norms", view, PARTS, "the run saved no gradient norms (epoch.grad_norm)")


CHECK = NamedCheck(run=run)
