"""Train, evaluate and serve the alerts on card transactions."""

from dataclasses import dataclass

import numpy as np
import torch
import yaml
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

import engine
import model as networks
import preprocessing
from dataset_report import class_counts, describe_features, write_dataset_report
from scores import confusion_counts, log_loss
from tracking import Run, fingerprint, row_hashes, write_json, write_record


@dataclass
class Alerts:
    """What is released: the fitted parts and the network."""

    settings: dict
    inputs: object
    thinning: object
    policy: object
    network: object


def read_settings():
    with open("config.yaml", encoding="utf-8") as handle:
        return yaml.safe_load(handle)


def softmax(outputs):
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def fit_settings(settings):
    fit, stop = settings["fit"], settings["stop"]
    return engine.TrainSettings(
        epochs=fit["epochs"],
        batch_size=fit["batch"],
        optimizer=fit["optimiser"],
        learning_rate=fit["lr"],
        seed=settings["run"]["seed"],
        weight_decay=fit["l2"],
        momentum=fit["momentum"],
        scheduler=fit["lr_plan"],
        step_size=fit["lr_step"],
        gamma=fit["lr_gamma"],
        warmup_steps=fit["warmup"],
        grad_clip=fit["max_norm"],
        accumulate=fit["accumulate"],
        ema_decay=fit["ema"],
        checkpoint_monitor=stop["watch"],
        checkpoint_mode=stop["mode"],
        metric_name="binary_f1",
    )


def score_rows(network, matrix, thinning, settings):
    """Probabilities among all transactions, row by row."""
    order = preprocessing.evaluation_order(len(matrix), settings["run"]["seed"])
    outputs = engine.predict(network, torch.from_numpy(matrix[order]), settings["report"]["batch"])
    return thinning.true_odds(softmax(outputs))


def train():
    run = Run(style="json_lines")
    try:
        return _train(run)
    except Exception:
        run.log.exception("training failed")
        raise


def _train(run):
    settings = read_settings()
    columns = settings["columns"]
    table, exported = preprocessing.read_warehouse(settings["source"])
    source = source_report(table)
    table = preprocessing.labelled_rows(table, exported, columns)
    label = preprocessing.fraud_labels(table, columns)
    thinning = preprocessing.Thinning(settings["source"])
    available = preprocessing.split_rows(table, settings["source"])
    rows = thinning.apply(available, label)
    run.log.info("read %d transactions, %d with a closed window, %.2f%% fraud", source["rows"], len(label), 100 * label.mean())
    run.log.info("split: %s", ", ".join(f"{name} {len(part)}" for name, part in rows.items()))

    past = preprocessing.CardHistory()
    history = past.from_table(table)
    inputs = preprocessing.Inputs(columns).fit(table, history, label, available["train"])
    matrices, targets = {}, {"train": label[rows["train"]]}
    for name, part in rows.items():
        some, before = preprocessing.pick(table, part), preprocessing.pick(history, part)
        if name == "train":
            matrices[name] = inputs.transform_training(some, before, targets[name])
        else:
            matrices[name] = inputs.transform(some, before)
            targets[name] = preprocessing.evaluation_targets(label, part)
    describe(run, source, table, rows, matrices, targets, inputs)

    network = networks.build(settings["network"], matrices["train"].shape[1], settings["run"]["seed"])
    engine.freeze(network, settings["network"]["frozen"])
    tensors = {name: (torch.from_numpy(matrices[name]), torch.from_numpy(targets[name].astype(np.int64))) for name in rows}

    def alerts_f1(outputs, truth):
        score = thinning.true_odds(softmax(outputs))[:, 1]
        flags = preprocessing.AlertPolicy().fit(score, truth).flag(score)
        return 2 * float(flags @ truth) / max(float(flags.sum() + truth.sum()), 1.0)

    result = engine.fit(
        run,
        network,
        engine.classification_loss(settings["fit"]["smoothing"]),
        tensors["train"],
        tensors["validation"],
        alerts_f1,
        fit_settings(settings),
    )
    engine.load_checkpoint(network, result, "best")
    policy = preprocessing.AlertPolicy().fit(
        thinning.true_odds(softmax(engine.predict(network, tensors["validation"][0])))[:, 1], targets["validation"]
    )
    evaluate(run, settings, network, result, rows, matrices, targets, thinning, policy)
    engine.load_checkpoint(network, result, "best")
    return Alerts(settings, inputs, thinning, policy, network)


def source_report(table):
    """The table as it was read."""
    numeric = {name: values for name, values in table.items() if values.dtype.kind == "f"}
    return {
        "rows": len(table["row_id"]),
        "columns": [name for name in table if name != "euros"],
        "missing": {name: int(np.isnan(values).sum()) for name, values in numeric.items() if np.isnan(values).any()},
        "cards": len(np.unique(table["card"])),
        "merchants": len(np.unique(table["merchant"])),
        "currencies": class_counts(table["currency"]),
        "statuses": class_counts(table["status"]),
        "reported": int(np.isfinite(table["reported_after"]).sum()),
        "reported_after_quantiles": np.nanquantile(table["reported_after"], [0.1, 0.5, 0.9]),
    }


def day_of(seconds):
    return str(np.datetime64(int(seconds), "s"))[:10]


def describe(run, source, table, rows, matrices, targets, inputs):
    """dataset_stats.json and the notes about fitted parts."""
    names = inputs.names()
    answers = preprocessing.decode(range(2))
    splits = {}
    for name, part in rows.items():
        splits[name] = {
            "rows": len(part),
            "first_day": day_of(table["when"][part].min()),
            "last_day": day_of(table["when"][part].max()),
            "cards": len(np.unique(table["card"][part])),
            "classes": class_counts(np.array(answers)[targets[name]]),
            "euros_median": np.median(table["euros"][part]),
            "features": describe_features(matrices[name], names),
        }
    fitted = {
        "scaler": fingerprint(inputs.scaler.mean_, inputs.scaler.scale_),
        "categories": fingerprint([list(values) for values in inputs.onehot.categories_]),
        "merchants": len(inputs.risk.names),
        "inputs": len(names),
    }
    write_dataset_report("card transactions", source, splits, fitted)
    trained = sorted(preprocessing.LABELS, key=preprocessing.LABELS.get)
    run.meta.update(
        task="classification",
        kind="rare_tabular",
        metric="binary_f1",
        source_classes=sorted(source["statuses"]),
        classes={"train": trained, "evaluation": trained},
        model_outputs=2,
        feature_names=names,
        feature_kinds=["numeric" if name in inputs.columns["numeric"] or name == "merchant_risk" else "category" for name in names],
        rows={"source": source["rows"], "prepared": sum(len(part) for part in rows.values())},
        fingerprints={
            "label_map": {"train": fingerprint(trained), "serving": fingerprint(answers)},
            "scaler": {"train": fingerprint(inputs.scaler.mean_), "evaluation": fingerprint(inputs.scaler.mean_)},
        },
    )
    run.record("source.class_counts", [source["statuses"][status] for status in run.meta["source_classes"]])
    for name, part in rows.items():
        some = preprocessing.pick(table, part)
        raw = np.column_stack([some["amount"], some["distance"], some["card_age"], some["when"] % 86_400])
        run.record(f"{name}.row_id", some["row_id"])
        run.record(f"{name}.time", some["when"])
        run.record(f"{name}.row_hash", row_hashes(line.tobytes() for line in raw))
        run.record(f"{name}.source_target", np.searchsorted(run.meta["source_classes"], some["status"]))
        run.record(f"{name}.features", matrices[name])
        run.record(f"{name}.target", targets[name])


def evaluate(run, settings, network, result, rows, matrices, targets, thinning, policy):
    """eval_results.json and the per-row predictions behind it."""
    options = settings["report"]
    evaluated = engine.load_checkpoint(network, result, options["weights"])
    report = {"run_id": run.run_id, "metric": "binary_f1", "threshold": policy.threshold, "weights": {"name": options["weights"], "epoch": evaluated}}
    for block, source in (("train", "train"), ("validation", "validation"), ("test", options["rows"])):
        probabilities = score_rows(network, matrices[source], thinning, settings)
        flags = policy.flag(probabilities[:, 1])
        run.record(f"{block}.score", probabilities)
        run.record(f"{block}.prediction", flags)
        if block == "test":
            again = thinning.true_odds(softmax(engine.predict_again(network, torch.from_numpy(matrices[source]))))
            run.record("test.repeat_gap", np.abs(again - probabilities).max(axis=1))
        if source != block:
            for kind in ("row_id", "time", "row_hash", "source_target", "features", "target"):
                run.record(f"{block}.{kind}", run.arrays[f"{source}.{kind}"])
        if block != "train":
            report[block] = alert_scores(targets[source], flags, probabilities, preprocessing.LABELS[options["positive"]])
            run.log.info("evaluate: %s n=%d binary_f1=%.4f average_precision=%.4f alerts=%d", block, report[block]["n"], report[block]["binary_f1"], report[block]["average_precision"], report[block]["alerts"])
    run.meta["evaluated_epoch"] = evaluated
    write_json("eval_results.json", report)
    run.log.info("run finished: %s after %d epochs, final train_loss=%.4f", result.ended, result.epochs_run, result.final_train_loss)
    run.save_record()


def alert_scores(target, flags, probabilities, positive):
    """How good the alerts are, and the ranking behind them."""
    target = np.asarray(target).astype(int)
    return {
        "n": len(target),
        "binary_f1": f1_score(target, flags, pos_label=positive, zero_division=0.0),
        "precision": precision_score(target, flags, pos_label=positive, zero_division=0.0),
        "recall": recall_score(target, flags, pos_label=positive, zero_division=0.0),
        "average_precision": average_precision_score(target, probabilities[:, 1]),
        "auc": roc_auc_score(target, probabilities[:, 1]),
        "loss": log_loss(target, probabilities),
        "frauds": int(target.sum()),
        "alerts": int(flags.sum()),
        "confusion": confusion_counts(target, flags, 2).tolist(),
    }


def serve(alerts, folder, record):
    """Answer the requests in `folder`; names go into the header, positions into the record."""
    table = preprocessing.read_gateway(folder, alerts.settings["source"])
    history = preprocessing.CardHistory().from_requests(table)
    matrix = alerts.inputs.transform(table, history)
    probabilities = softmax(engine.predict(alerts.network, torch.from_numpy(matrix)))
    scores = preprocessing.gateway_scores(probabilities, alerts.thinning)
    write_record(
        record,
        {"row_id": table["row_id"], "prediction": alerts.policy.flag(scores[:, 1]), "score": scores},
        {"classes": preprocessing.decode(range(2))},
    )


if __name__ == "__main__":
    train()
