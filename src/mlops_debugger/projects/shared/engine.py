"""The training loop that our pipelines share."""

import copy
import logging
import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

log = logging.getLogger("engine")
SECONDS_PER_STEP = 0.018


@dataclass
class TrainSettings:
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    seed: int
    weight_decay: float = 0.0
    momentum: float = 0.9
    scheduler: str = "constant"
    step_size: int = 10
    gamma: float = 0.5
    warmup_steps: int = 0
    grad_clip: float = 0.0
    accumulate: int = 1
    ema_decay: float = 0.0
    checkpoint_monitor: str = "val_loss"
    checkpoint_mode: str = "min"
    metric_name: str = "accuracy"


@dataclass
class FitResult:
    checkpoints: dict = field(default_factory=dict)
    best_epoch: int = 0
    epochs_run: int = 0
    ended: str = "completed"
    final_train_loss: float = float("nan")


def make_optimizer(model, settings):
    parameters = [p for p in model.parameters() if p.requires_grad]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay, fused=True
        )
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[settings.optimizer](parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)


def learning_rate_factor(settings, epoch, step):
    """Factor on the base learning rate at a (0-based) epoch and optimiser step."""
    factor = 1.0
    if settings.scheduler == "step":
        factor = settings.gamma ** (epoch // settings.step_size)
    elif settings.scheduler == "cosine":
        factor = 0.5 * (1.0 + math.cos(math.pi * epoch / max(settings.epochs, 1)))
    if settings.warmup_steps > 0:
        factor *= min(1.0, (step + 1) / settings.warmup_steps)
    return factor


def layer_groups(model):
    """Parameters by the module that owns them, in order."""
    groups = {}
    for name, parameter in model.named_parameters():
        groups.setdefault(name.rpartition(".")[0] or name, []).append(parameter)
    return groups


def _norm(tensors):
    tensors = [t for t in tensors if t is not None]
    return float(torch.sqrt(sum((t.double() ** 2).sum() for t in tensors))) if tensors else 0.0


class _Average:
    """Exponential moving average of the weights."""

    def __init__(self, model, decay):
        self.decay = decay
        self.model = copy.deepcopy(model)
        pairs = list(zip(self.model.state_dict().values(), model.state_dict().values()))
        self.smoothed = [pair for pair in pairs if pair[0].is_floating_point()]
        self.counted = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self):
        """Take in the weights as they are now."""
        mine, theirs = zip(*self.smoothed)
        torch._foreach_lerp_(mine, theirs, 1.0 - self.decay)
        for counter, current in self.counted:
            counter.copy_(current)


@torch.no_grad()
def predict(model, inputs, batch_size=512):
    """Outputs of the model in evaluation mode, as an array."""
    model.eval()
    return torch.cat([model(inputs[i : i + batch_size]) for i in range(0, len(inputs), batch_size)]).numpy()


def predict_again(model, inputs):
    """Outputs for the same rows, last ones first and in other batches, back in their places: nothing should change."""
    return predict(model, inputs.flip(0), batch_size=97)[::-1].copy()


def fit(run, model, loss_function, train, validation, score, settings, augment=None):
    """Train `model` and keep a checkpoint of every epoch.

    `train` and `validation` are (inputs, targets) tensors; `score(outputs, targets)` gives the metric to log;
    `augment(inputs, generator)` changes a training batch.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    optimizer = make_optimizer(model, settings)
    groups = layer_groups(model)
    parameters = list(model.parameters())
    average = _Average(model, settings.ema_decay) if settings.ema_decay > 0 else None
    inputs, targets = train
    steps_per_epoch = math.ceil(len(inputs) / settings.batch_size)
    history = {key: [] for key in ("train_loss", "val_loss", "val_metric", "lr", "grad_norm", "grad_norm_max", "clipped_share", "zero_share")}
    layer_norms, layer_updates, step_losses = [], [], []
    result = FitResult()
    best = None
    step = 0
    for epoch in range(settings.epochs):
        model.train()
        order = torch.randperm(len(inputs), generator=generator)
        losses, norms, clipped = [], [], 0
        zero_share = 0.0
        for index in range(steps_per_epoch):
            rows = order[index * settings.batch_size : (index + 1) * settings.batch_size]
            batch = inputs[rows]
            if augment is not None:
                batch = augment(batch, generator)
            loss = loss_function(model(batch), targets[rows])
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]) or abs(losses[-1]) > 1e8:
                break
            (loss / settings.accumulate).backward()
            if (index + 1) % settings.accumulate and index + 1 < steps_per_epoch:
                continue
            gradients = [p.grad for p in parameters if p.grad is not None]
            flat = torch.cat([g.reshape(-1) for g in gradients])
            norm = float(torch.linalg.vector_norm(flat))
            norms.append(norm)
            factor = learning_rate_factor(settings, epoch, step)
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * factor
            if settings.grad_clip > 0 and norm > settings.grad_clip:
                clipped += 1
                torch._foreach_mul_(gradients, settings.grad_clip / (norm + 1e-12))
            last = index + settings.accumulate >= steps_per_epoch or index + 1 == steps_per_epoch
            if last:
                zero_share = float((flat == 0).double().mean())
                before = {name: [p.detach().clone() for p in params] for name, params in groups.items()}
                norms_by_layer = [_norm([p.grad for p in params]) for params in groups.values()]
            optimizer.step()
            if last:
                updates = [
                    _norm([p.detach() - q for p, q in zip(params, before[name])]) / (_norm(before[name]) + 1e-12)
                    for name, params in groups.items()
                ]
            optimizer.zero_grad(set_to_none=True)
            if average is not None:
                average.update()
            step += 1
        step_losses.extend(losses)
        run.clock.advance(SECONDS_PER_STEP * len(losses))
        if not math.isfinite(losses[-1]) or abs(losses[-1]) > 1e8:
            log.error("loss is %s at epoch %d step %d, stopping", losses[-1], epoch + 1, step)
            result.ended = "diverged"
            break
        evaluated = average.model if average is not None else model
        outputs = predict(evaluated, validation[0])
        val_loss = float(loss_function(torch.from_numpy(outputs), validation[1]))
        metric = float(score(outputs, validation[1].numpy()))
        train_loss = float(np.mean(losses))
        for key, value in zip(
            history,
            (train_loss, val_loss, metric, optimizer.param_groups[0]["lr"], float(np.median(norms)), max(norms), clipped / len(norms), zero_share),
        ):
            history[key].append(value)
        layer_norms.append(norms_by_layer)
        layer_updates.append(updates)
        result.checkpoints[f"epoch_{epoch + 1:02d}"] = copy.deepcopy(evaluated.state_dict())
        result.epochs_run = epoch + 1
        result.final_train_loss = train_loss
        watched = val_loss if settings.checkpoint_monitor == "val_loss" else metric
        better = best is None or (watched < best if settings.checkpoint_mode == "min" else watched > best)
        if better and math.isfinite(watched):
            best, result.best_epoch = watched, epoch + 1
        run.epoch({
            "epoch": epoch + 1, "epochs": settings.epochs, "step": step, "batches": len(losses), "train_loss": train_loss, "val_loss": val_loss,
            f"val_{settings.metric_name}": metric, "lr": history["lr"][-1], "grad_norm": history["grad_norm"][-1],
            "saved": "best" if result.best_epoch == epoch + 1 else "",
        })
    if not result.checkpoints:
        # Nothing finite was ever trained: what can be evaluated is what the weights are now.
        result.checkpoints["epoch_00"] = copy.deepcopy(model.state_dict())
    names = sorted(result.checkpoints)
    result.checkpoints["last"] = result.checkpoints[names[-1]]
    result.checkpoints["best"] = result.checkpoints.get(f"epoch_{result.best_epoch:02d}", result.checkpoints["last"])
    for key, values in history.items():
        run.record(f"epoch.{key}", values)
    run.record("epoch.layer_grad_norm", np.reshape(layer_norms, (len(layer_norms), len(groups))))
    run.record("epoch.layer_update_ratio", np.reshape(layer_updates, (len(layer_updates), len(groups))))
    run.record("step.loss", step_losses)
    run.record("initial.loss", step_losses[:1])
    run.meta.update(
        layers=list(groups),
        trainable=[any(p.requires_grad for p in params) for params in groups.values()],
        batch_size=settings.batch_size,
        steps_per_epoch=math.ceil(steps_per_epoch / settings.accumulate),
        epochs_planned=settings.epochs,
        epochs_run=result.epochs_run,
        ended=result.ended,
        best_epoch=result.best_epoch,
        parameters=sum(p.numel() for p in model.parameters()),
    )
    return result


def load_checkpoint(model, result, name):
    """Load the named checkpoint (best, last or epoch_NN) and return the epoch that it is of."""
    if name not in result.checkpoints:
        raise KeyError(f"no checkpoint {name!r}: there are {sorted(result.checkpoints)}")
    model.load_state_dict(result.checkpoints[name])
    if name == "best":
        return result.best_epoch
    return result.epochs_run if name == "last" else int(name.removeprefix("epoch_"))


def classification_loss(label_smoothing=0.0, class_weights=None):
    weights = None if class_weights is None else torch.as_tensor(class_weights, dtype=torch.float64)
    return nn.CrossEntropyLoss(weight=weights, label_smoothing=label_smoothing)


def activation(name):
    kinds = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "silu": nn.SiLU, "sigmoid": nn.Sigmoid, "identity": nn.Identity}
    return kinds[name]()


def freeze(model, names):
    """Stop training the modules whose names are listed."""
    for name in names:
        for parameter in model.get_submodule(name).parameters():
            parameter.requires_grad_(False)
