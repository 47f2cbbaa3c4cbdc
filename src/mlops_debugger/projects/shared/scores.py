"""Metrics for reports, computed with scikit-learn."""

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, mean_absolute_error, mean_squared_error


def log_loss(target, probabilities):
    picked = probabilities[np.arange(len(target)), target.astype(int)]
    return float(-np.mean(np.log(np.clip(picked, 1e-12, 1.0))))


def classification_scores(target, probabilities, classes, average="macro", top_k=1):
    """Accuracy (within the first top_k), F1 and the counts behind them."""
    target = np.asarray(target).astype(int)
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    prediction = ranked[:, 0]
    if top_k == 1:
        accuracy = accuracy_score(target, prediction)
    else:
        accuracy = float(np.mean((ranked[:, :top_k] == target[:, None]).any(axis=1)))
    labels = np.arange(len(classes))
    matrix = confusion_matrix(target, prediction, labels=labels)
    recall = matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1)
    return {
        "n": len(target),
        "loss": log_loss(target, probabilities),
        "accuracy": accuracy,
        "f1": f1_score(target, prediction, average=average, zero_division=0),
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
