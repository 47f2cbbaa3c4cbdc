"""Metrics for reports."""

import numpy as np
from sklearn.metrics import mean_absolute_error, mean_squared_error


def log_loss(target, probabilities):
    picked = probabilities[np.arange(len(target)), target.astype(int)]
    return float(-np.mean(np.log(np.clip(picked, 1e-12, 1.0))))


def confusion_counts(target, prediction, count):
    """Rows are true classes, columns predicted ones."""
    size = max(count, int(target.max(initial=0)) + 1, int(prediction.max(initial=0)) + 1)
    return np.bincount(target * size + prediction, minlength=size * size).reshape(size, size)


def f1_from(matrix, average):
    """F1 over the classes that occur, averaged over classes (macro), by support (weighted) or over rows (micro)."""
    support, predicted, hits = matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal()
    if average == "micro":
        return float(hits.sum() / max(matrix.sum(), 1))
    f1 = 2 * hits / np.maximum(support + predicted, 1)
    weights = support if average == "weighted" else (support + predicted > 0).astype(float)
    return float(np.sum(f1 * weights) / max(weights.sum(), 1e-12))


def classification_scores(target, probabilities, classes, average="macro", top_k=1):
    """Accuracy (within the first top_k), F1 and the counts behind them."""
    target = np.asarray(target).astype(int)
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    matrix = confusion_counts(target, ranked[:, 0], len(classes))
    recall = matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1)
    return {
        "n": len(target),
        "loss": log_loss(target, probabilities),
        "accuracy": float(np.mean((ranked[:, :top_k] == target[:, None]).any(axis=1))),
        "f1": f1_from(matrix, average),
        "recall_by_class": {name: float(value) for name, value in zip(classes, recall)},
        "confusion": matrix.tolist(),
        "mean_confidence": float(probabilities.max(axis=1).mean()),
    }


def regression_scores(target, prediction):
    """Errors in the unit of the target, over all horizons and for each."""
    target, prediction = np.asarray(target), np.asarray(prediction)
    by_horizon = np.mean(np.abs(target - prediction), axis=0) if target.ndim == 2 else [np.mean(np.abs(target - prediction))]
    return {
        "n": len(target),
        "mae": mean_absolute_error(target, prediction),
        "rmse": float(np.sqrt(mean_squared_error(target, prediction))),
        "bias": float(np.mean(prediction - target)),
        "target_mean": float(np.mean(target)),
        "target_sd": float(np.std(target)),
        "mae_by_horizon": [float(value) for value in by_horizon],
    }
