"""Train, evaluate and serve the loan-outcome model."""

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import yaml

import engine
import model as models
import preprocessing
from dataset_report import class_counts, describe_features, write_dataset_report
from scores import classification_scores
from tracking import Run, fingerprint, write_json, write_record


@dataclass
class Trained:
    config: dict
    encoders: object
    model: object
    result: object


def load_config():
    with open("config.yaml", encoding="utf-8") as handle:
        return yaml.safe_load(handle)


def softmax(outputs):
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def score_rows(model, inputs, config):
    """Class probabilities of every row."""
    order = preprocessing.evaluation_order(len(inputs), config["run"]["seed"])
    outputs = engine.predict(model, torch.from_numpy(inputs[order]), config["evaluation"]["batch_size"])
    return softmax(outputs)


def settings_of(config):
    optimizer, schedule, training = config["optimizer"], config["schedule"], config["training"]
    return engine.TrainSettings(
        epochs=training["epochs"],
        batch_size=training["batch_size"],
        optimizer=optimizer["name"],
        learning_rate=optimizer["learning_rate"],
        seed=config["run"]["seed"],
        weight_decay=optimizer["weight_decay"],
        momentum=optimizer["momentum"],
        scheduler=schedule["name"],
        step_size=schedule["step_size"],
        gamma=schedule["gamma"],
        warmup_steps=schedule["warmup_steps"],
        grad_clip=training["grad_clip"],
        accumulate=training["accumulate_grad_batches"],
        ema_decay=training["ema_decay"],
        checkpoint_monitor=config["checkpoint"]["monitor"],
        checkpoint_mode=config["checkpoint"]["mode"],
        metric_name="f1",
    )


def train():
    run = Run()
    try:
        return _train(run)
    except Exception:
        run.log.exception("training failed")
        raise


def _train(run):
    config = load_config()
    data, label = config["data"], config["data"]["label"]
    raw = preprocessing.load_snapshots(data["path"])
    frame = preprocessing.labelled_rows(preprocessing.clean(raw), label)
    rows = preprocessing.split_rows(frame, data)
    frames = {name: frame.iloc[index].reset_index(drop=True) for name, index in rows.items()}
    run.log.info("read %d rows, kept %d with a known %s", len(raw), len(frame), label)
    run.log.info("split: %s", ", ".join(f"{name} {len(part)}" for name, part in frames.items()))

    targets = {}
    targets["train"], label_ids = preprocessing.encode_labels(frames["train"][label])
    encoders = preprocessing.fit_encoders(frame, rows, label, config["features"])
    encoders.label_ids = label_ids
    inputs = {"train": preprocessing.transform_training(frames["train"], targets["train"], encoders)}
    for name in ("validation", "test"):
        inputs[name] = preprocessing.transform_evaluation(frames[name], encoders)
        targets[name] = preprocessing.evaluation_targets(frames[name], label, encoders)
    names = preprocessing.feature_names(encoders)
    describe(run, config, raw, frames, inputs, targets, encoders, names)

    classes = preprocessing.decode(range(len(label_ids)), encoders)
    model = models.build(config["model"], inputs["train"].shape[1], len(label_ids), config["run"]["seed"])
    engine.freeze(model, config["model"]["frozen"])
    tensors = {name: (torch.from_numpy(inputs[name]), torch.from_numpy(np.asarray(targets[name], dtype=np.int64))) for name in inputs}
    result = engine.fit(
        run,
        model,
        engine.classification_loss(config["training"]["label_smoothing"]),
        tensors["train"],
        tensors["validation"],
        lambda outputs, truth: classification_scores(truth, softmax(outputs), classes)["f1"],
        settings_of(config),
    )
    evaluate(run, config, model, result, frames, inputs, targets, classes)
    engine.load_checkpoint(model, result, "best")
    return Trained(config, encoders, model, result)


def describe(run, config, raw, frames, inputs, targets, encoders, names):
    """dataset_stats.json and the notes about encoders."""
    label = config["data"]["label"]
    splits = {}
    for name, part in frames.items():
        splits[name] = {
            "rows": len(part),
            "accounts": part["account_id"].nunique(),
            "first_month": str(part["month"].min().date()),
            "last_month": str(part["month"].max().date()),
            "classes": class_counts(part[label].fillna("(missing)")),
            "encoded_classes": class_counts(targets[name]),
            "features": describe_features(inputs[name], names),
        }
    known = raw.dropna(subset=[label])
    source = {
        "rows": len(raw),
        "columns": list(raw.columns),
        "missing": {name: int(count) for name, count in raw.isna().sum().items() if count},
        "sentinel_values": {name: int((raw[name] == -999).sum()) for name in ("income", "credit_score")},
        "accounts": raw["account_id"].nunique(),
        "classes": class_counts(known[label]),
        "branches": class_counts(raw["branch"]),
    }
    fitted = {
        "scaler": fingerprint(encoders.scaler.mean_, encoders.scaler.scale_),
        "categories": fingerprint([list(values) for values in encoders.onehot.categories_]),
        "label_map": fingerprint(encoders.label_ids),
        "inputs": len(names),
    }
    write_dataset_report("account snapshots", source, splits, fitted)
    ordered = sorted(encoders.label_ids, key=encoders.label_ids.get)
    seen = {value: name for value, name in zip(targets["test"], frames["test"][label])}
    run.meta.update(
        task="classification",
        kind="tabular",
        metric="f1",
        source_classes=sorted(known[label].unique()),
        classes={"train": ordered, "evaluation": [str(seen.get(position, "")) for position in range(len(ordered))]},
        model_outputs=len(ordered),
        feature_names=names,
        feature_kinds=["numeric"] * len(encoders.numeric) + ["category"] * (len(names) - len(encoders.numeric)),
        rows={"source": len(raw), "prepared": sum(len(part) for part in frames.values())},
        fingerprints={
            "label_map": {
                "train": fingerprint(ordered),
                "serving": fingerprint(preprocessing.decode(range(len(ordered)), encoders)),
            },
            "columns": {"train": fingerprint(list(encoders.scaler.feature_names_in_)), "evaluation": fingerprint(encoders.numeric)},
        },
    )
    source_position = {name: position for position, name in enumerate(run.meta["source_classes"])}
    run.record("source.class_counts", [source["classes"][name] for name in source_position])
    for name, part in frames.items():
        run.record(f"{name}.row_id", part["row_id"])
        run.record(f"{name}.group", part["account_id"])
        run.record(f"{name}.time", part["month"].to_numpy().astype("datetime64[s]").astype(np.int64))
        values = part[["age", "income", "balance", "utilisation", "months_on_book", "inquiries", "employer"]]
        run.record(f"{name}.row_hash", pd.util.hash_pandas_object(values, index=False) // 4096)
        run.record(f"{name}.source_target", part[label].map(source_position).fillna(-1))
        run.record(f"{name}.features", inputs[name])
        run.record(f"{name}.target", targets[name])


def evaluate(run, config, model, result, frames, inputs, targets, classes):
    """eval_results.json and the per-row predictions behind it."""
    options = config["evaluation"]
    evaluated = engine.load_checkpoint(model, result, options["checkpoint"])
    report = {"run_id": run.run_id, "metric": "f1", "average": options["average"], "checkpoint": {"name": options["checkpoint"], "epoch": evaluated}}
    for block, source in (("train", "train"), ("validation", "validation"), ("test", options["split"])):
        probabilities = score_rows(model, inputs[source], config)
        truth = np.asarray(targets[source]).astype(int)
        run.record(f"{block}.score", probabilities)
        run.record(f"{block}.prediction", probabilities.argmax(axis=1))
        if block == "test":
            again = softmax(engine.predict_again(model, torch.from_numpy(inputs[source])))
            run.record("test.repeat_gap", np.abs(again - probabilities).max(axis=1))
        if source != block:
            for kind in ("row_id", "group", "time", "row_hash", "source_target", "features", "target"):
                run.record(f"{block}.{kind}", run.arrays[f"{source}.{kind}"])
        if block != "train":
            report[block] = classification_scores(truth, probabilities, classes, average=options["average"])
            run.log.info("evaluate: %s n=%d f1=%.4f accuracy=%.4f", block, report[block]["n"], report[block]["f1"], report[block]["accuracy"])
    run.meta["evaluated_epoch"] = evaluated
    write_json("eval_results.json", report)
    run.log.info("run finished: %s after %d epochs, final train_loss=%.4f", result.ended, result.epochs_run, result.final_train_loss)
    run.save_record()


def serve(trained, source, target):
    """Predict the outcome of the snapshots in `source`; names go into the header, positions into the record."""
    frame = preprocessing.clean(pd.read_csv(os.path.join(source, "snapshots.csv"), parse_dates=["month"]))
    inputs = preprocessing.transform_evaluation(frame, trained.encoders)
    probabilities = softmax(engine.predict(trained.model, torch.from_numpy(inputs)))
    classes = preprocessing.decode(range(probabilities.shape[1]), trained.encoders)
    write_record(
        target,
        {"row_id": frame["row_id"], "prediction": probabilities.argmax(axis=1), "score": probabilities},
        {"classes": classes},
    )


if __name__ == "__main__":
    train()
