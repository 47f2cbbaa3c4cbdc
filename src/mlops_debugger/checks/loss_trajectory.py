"""Is the shape of the loss curve anomalous?

Evidence: the first loss against theory (ln K), the drop, rising epochs, plateaus, the end of the curve, the learning
rate, steps by epoch and the pattern within an epoch, and whether the level of the loss agrees with the accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from mlops_debugger.checks import Finding, NamedCheck, RunView, _bands, _loss_level
from mlops_debugger.checks._common import FloatArray, Measure, finite, number, rows_of, text, vector

_TINY = 1e-12


def _curve(view: RunView, name: str) -> FloatArray | None:
    """A finite curve of at least two epochs."""
    values = vector(view, f"epoch.{name}")
    if values is None:
        return None
    values = finite(values[np.isfinite(values)])
    return values if len(values) >= 2 else None


def _sound(view: RunView) -> Iterator[Measure]:
    curves = {
        name: values for name in ("train_loss", "val_loss") if (values := vector(view, f"epoch.{name}")) is not None
    }
    steps = vector(view, "step.loss")
    if steps is not None:
        curves["step loss"] = steps
    if not curves and not text(view, "ended"):
        return
    bad = sum(int((~np.isfinite(values)).sum()) for values in curves.values())
    total = sum(len(values) for values in curves.values())
    diverged = text(view, "ended") == "diverged"
    ending = " and training ended as diverged" if diverged else ""
    yield Measure(
        "nonfinite_losses",
        bad + diverged,
        total,
        f"{bad} of {total} recorded losses are not finite{ending}.",
        "all losses",
    )
    negative = sum(int((values < -1e-9).sum()) for values in curves.values())
    yield Measure(
        "negative_losses", negative, total, f"{negative} of {total} recorded losses are negative.", "all losses"
    )


def _shape(view: RunView) -> Iterator[Measure]:
    curve = _curve(view, "train_loss")
    if curve is None:
        return
    n, where = len(curve), f"training loss of {len(curve)} epochs"
    first = vector(view, "initial.loss")
    start = (
        float(finite(first)[0])
        if first is not None and np.isfinite(first[0]) and first[0] > curve[0]
        else float(curve[0])
    )
    drop = (start - float(curve.min())) / max(abs(start), _TINY)
    yield Measure(
        "loss_drop", drop, n, f"Training loss falls by {drop:.1%}, from {start:.4g} to {curve.min():.4g}.", where
    )
    blown = float(curve.max()) / max(abs(start), _TINY)
    says = (
        f"The largest training loss ({curve.max():.4g}, epoch {int(np.argmax(curve)) + 1}) is {blown:.3g} times the "
        "first."
    )
    yield Measure("largest_to_first", blown, n, says, where)
    back = (float(curve[-1]) - float(curve.min())) / max(start - float(curve.min()), _TINY)
    says = (
        f"Training loss ends at {curve[-1]:.4g}, {min(back, 99):.0%} of its drop above its minimum of "
        f"{curve.min():.4g}."
    )
    yield Measure("given_back", min(back, 100.0), n, says, where)
    if n >= 5:
        change = np.diff(curve) / np.maximum(np.abs(curve[:-1]), _TINY)
        rising = float(np.mean(change > 0.002))
        yield Measure(
            "rising_epochs", rising, n, f"Training loss rises by over 0.2% in {rising:.0%} of the epochs.", where
        )
        flat = float(np.mean(np.abs(change) < 0.002))
        yield Measure(
            "flat_epochs", flat, n, f"Training loss changes by less than 0.2% in {flat:.0%} of the epochs.", where
        )
        late = (
            float(curve[-1 - max(1, n // 4)] - curve[-1]) / max(start - float(curve[-1]), _TINY)
            if start > curve[-1]
            else 0.0
        )
        says = f"The last quarter of the epochs brought {late:.0%} of the whole drop of the training loss."
        yield Measure("late_drop", late, n, says, where)


def _validation(view: RunView) -> Iterator[Measure]:
    curve, train = _curve(view, "val_loss"), _curve(view, "train_loss")
    if curve is None:
        return
    n, where = len(curve), f"validation loss of {len(curve)} epochs"
    least = float(curve.min())
    rise = float(curve[-1]) / max(least, _TINY) if least > 0 else 1.0
    at = int(np.argmin(curve)) + 1
    says = f"Validation loss ends at {curve[-1]:.4g}, {rise:.3g} times its minimum of {least:.4g} in epoch {at} of {n}."
    yield Measure("validation_rise", rise, n, says, where)
    if n >= 5:
        steps = np.abs(np.diff(curve))
        rough = float(steps.sum() / max(curve.max() - least, _TINY))
        says = f"Validation loss moves {rough:.2f} times its own range up and down."
        yield Measure("validation_roughness", rough, n, says, where)
    if text(view, "ended") == "stopped_early" and n >= 3:
        back = max(1, min(3, n - 1))
        falling = float(curve[-1 - back] - curve[-1]) / max(abs(float(curve[-1 - back])), _TINY)
        says = (
            f"Training was stopped early while validation loss had fallen by {falling:.1%} over its last {back} epochs."
        )
        yield Measure("falling_at_stop", falling, n, says, where)
    if train is not None and len(train) == n:
        ratio = float(np.median(curve[n // 2 :] / np.maximum(np.abs(train[n // 2 :]), _TINY)))
        says = f"In the second half of training, validation loss is {ratio:.3g} times training loss."
        yield Measure("validation_to_train_high", ratio, n, says, f"losses of {n} epochs")
        yield Measure("validation_to_train_low", ratio, n, says, f"losses of {n} epochs")


def _rate(view: RunView) -> Iterator[Measure]:
    rate = _curve(view, "lr")
    if rate is None or rate.max() <= 0:
        return
    n, top, where = len(rate), float(rate.max()), f"learning rate of {len(rate)} epochs"
    low = float(np.mean(rate < 0.01 * top))
    says = f"The learning rate is below a hundredth of its maximum ({top:.3g}) in {low:.0%} of the epochs."
    yield Measure("low_rate_epochs", low, n, says, where)
    peak = float(np.argmax(rate)) / (n - 1)
    says = (
        f"The learning rate reaches its maximum ({top:.3g}) in epoch {int(np.argmax(rate)) + 1} of {n}, from "
        f"{rate[0]:.3g} in the first."
    )
    yield Measure("rate_peak_position", peak, n, says, where)
    yield Measure("largest_rate_high", top, n, f"The largest learning rate is {top:.3g}.", where)
    yield Measure("largest_rate_low", top, n, f"The largest learning rate is {top:.3g}.", where)


def _amount(view: RunView) -> Iterator[Measure]:
    """How much training there was."""
    steps, batch = number(view, "steps_per_epoch"), number(view, "batch_size")
    epochs, planned = number(view, "epochs_run"), number(view, "epochs_planned")
    rows = rows_of(view, "train")
    if steps is not None and batch is not None:
        where = f"steps, batch size and {rows} training rows"
        yield Measure("steps_per_epoch", steps, rows, f"An epoch has {steps:g} steps of {batch:g} rows.", where)
        if rows and steps > 0:
            passed = steps * batch / rows
            says = f"An epoch of {steps:g} steps of {batch:g} rows covers {passed:.2f} times the {rows} training rows."
            yield Measure("rows_per_epoch_low", (steps * batch + batch) / rows, rows, says, where)
            yield Measure("rows_per_epoch_high", max(steps - 1, 0) * batch / rows, rows, says, where)
        if epochs is not None:
            says = f"Training took {steps * epochs:g} updates ({epochs:g} epochs of {steps:g})."
            yield Measure("updates", steps * epochs, rows, says, "steps and epochs")
    if epochs is not None:
        yield Measure(
            "epochs_run", epochs, int(min(max(epochs, 0), 1e6)), f"Training ran {epochs:g} epochs.", "epochs run"
        )
        if planned:
            says = f"Training ran {epochs:g} of {planned:g} planned epochs and {text(view, 'ended') or 'ended'}."
            yield Measure(
                "planned_share", epochs / planned, int(min(max(planned, 0), 1e6)), says, "epochs run and planned"
            )


def _within_epoch(view: RunView) -> Iterator[Measure]:
    """Does the loss repeat a pattern from epoch to epoch, as where rows always come in the same order?"""
    steps, run = vector(view, "step.loss"), number(view, "epochs_run")
    if steps is None or run is None or run < 4 or len(steps) % int(run):
        return
    table = finite(steps).reshape(int(run), -1)[1:]
    width, height = table.shape[1], table.shape[0]
    if width < 4:
        return
    table = table - table.mean(axis=1, keepdims=True)
    total = float((table**2).sum())
    if total <= 0:
        return
    between = height * float((table.mean(axis=0) ** 2).sum()) / total
    rest = (1 - between) / ((width - 1) * (height - 1))
    p = float(stats.f.sf(between / (width - 1) / max(rest, _TINY), width - 1, (width - 1) * (height - 1)))
    value = (between - 1 / height) / (1 - 1 / height)
    says = f"The position of a batch within the epoch explains {max(value, 0):.0%} of the variation of its loss."
    yield Measure("position_effect", value, steps.size, says, f"{height} epochs of {width} steps", (), p)


PARTS: tuple[_bands.Part, ...] = (
    _sound,
    _shape,
    _validation,
    _rate,
    _amount,
    _within_epoch,
    _loss_level.first_loss,
    _loss_level.agreement,
)


def run(view: RunView) -> Finding:
    """The loss curve, what drove it and its level, against the healthy range."""
    return _bands.judge("loss_trajectory", view, PARTS, "the run recorded no losses (epoch.train_loss)")


CHECK = NamedCheck(run=run)
