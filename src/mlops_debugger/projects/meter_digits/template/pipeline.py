"""Train, report on and serve the reader of meter digits."""

from dataclasses import dataclass

import numpy as np
import torch
import yaml

import engine
import model as networks
import preprocessing as prep
from dataset_report import class_counts, describe_features, write_dataset_report
from scores import classification_scores
from tracking import Run, fingerprint, row_hashes, write_json, write_record


@dataclass
class Trained:
    prepared: object
    net: object


def probabilities_of(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def loop_settings(config):
    optim, plan, trainer, snapshots = config["optim"], config["lr_schedule"], config["trainer"], config["snapshots"]
    return engine.TrainSettings(
        epochs=trainer["max_epochs"],
        batch_size=trainer["minibatch"],
        optimizer=optim["kind"],
        learning_rate=optim["lr"],
        seed=config["experiment"]["random_state"],
        weight_decay=optim["weight_decay"],
        momentum=optim["momentum"],
        scheduler=plan["kind"],
        step_size=plan["every"],
        gamma=plan["factor"],
        warmup_steps=plan["warmup"],
        grad_clip=trainer["clip_norm"],
        accumulate=trainer["accumulate"],
        ema_decay=trainer["ema"],
        checkpoint_monitor=snapshots["watch"],
        checkpoint_mode=snapshots["mode"],
        metric_name="accuracy",
    )


def train():
    run = Run()
    try:
        return run_training(run)
    except Exception:
        run.log.exception("run aborted")
        raise


def run_training(run):
    with open("config.yaml", encoding="utf-8") as handle:
        config = yaml.safe_load(handle)
    source, label = config["source"], config["source"]["target"]
    exported, images = prep.read_crops(source["folder"])
    codes = prep.read_codes(source["folder"])
    frame, crops = prep.labelled_rows(exported, images, label)
    run.log.info("%d crops in the export, %d with a %s", len(exported), len(frame), label)
    parts = prep.build_splits(frame, crops, source, config["augment"])
    for name, (rows, _) in parts.items():
        run.log.info("split %s: %d crops of %d meters", name, len(rows), rows["meter_id"].nunique())

    inputs, targets = {}, {}
    inputs["train"], prepared = prep.training_inputs(*parts["train"], config["crops"], codes)
    targets["train"] = prep.encode_labels(parts["train"][0][label], codes)
    for name in ("validation", "test"):
        inputs[name] = prep.evaluation_inputs(*parts[name], prepared)
        targets[name] = prep.evaluation_targets(parts[name][0], label, prepared)
    note_data(run, config, exported, parts, inputs, targets, prepared)

    net = networks.make_net(config["net"], inputs["train"].shape[-1], len(codes), config["experiment"]["random_state"])
    engine.freeze(net, config["net"]["freeze"])
    tensors = {}
    for name, truth in targets.items():
        tensors[name] = torch.from_numpy(inputs[name]), torch.from_numpy(np.asarray(truth, dtype=np.int64))
    # Batch statistics need two crops: a last batch of one is left out.
    used = len(targets["train"]) - (len(targets["train"]) % config["trainer"]["minibatch"] == 1)
    result = engine.fit(
        run,
        net,
        engine.classification_loss(config["trainer"]["smoothing"]),
        tuple(values[:used] for values in tensors["train"]),
        tensors["validation"],
        lambda logits, truth: classification_scores(truth, probabilities_of(logits), codes)["accuracy"],
        loop_settings(config),
    )
    report(run, config, net, result, inputs, targets, codes)
    engine.load_checkpoint(net, result, "best")
    return Trained(prepared, net)


def note_data(run, config, exported, parts, inputs, targets, prepared):
    """dataset_stats.json and the arrays that describe the rows."""
    label = config["source"]["target"]
    side = inputs["train"].shape[-1]
    names = [f"pixel_{row}_{column}" for row in range(side) for column in range(side)]
    known = sorted(exported[label].dropna().unique())
    place = {code: position for position, code in enumerate(known)}
    splits = {}
    for name, (rows, crops) in parts.items():
        flat = inputs[name].reshape(len(rows), -1)
        splits[name] = {
            "rows": len(rows),
            "meters": rows["meter_id"].nunique(),
            "first_day": str(rows["captured_on"].min().date()),
            "last_day": str(rows["captured_on"].max().date()),
            "displays": class_counts(rows["display"]),
            "classes": class_counts(rows[label].fillna("(missing)")),
            "encoded_classes": class_counts(targets[name]),
            "pixels": describe_features(flat.reshape(-1, 1), ["all"])["all"],
            "features": describe_features(flat, names, limit=len(names)),
        }
        run.record(f"{name}.row_id", rows["row_id"])
        run.record(f"{name}.group", rows["meter_id"])
        run.record(f"{name}.time", rows["captured_on"].to_numpy().astype("datetime64[s]").astype(np.int64))
        run.record(f"{name}.row_hash", row_hashes(crop.tobytes() for crop in crops))
        run.record(f"{name}.source_target", rows[label].map(place).fillna(-1))
        run.record(f"{name}.features", flat)
        run.record(f"{name}.target", targets[name])
    overview = {
        "rows": len(exported),
        "columns": list(exported.columns),
        "missing": {name: int(count) for name, count in exported.isna().sum().items() if count},
        "meters": exported["meter_id"].nunique(),
        "displays": class_counts(exported["display"]),
        "classes": class_counts(exported[label].dropna()),
        "crop_shape": [side, side],
    }
    pixels, code_map = fingerprint(prepared.mean, prepared.scale, prepared.contrast), fingerprint(prepared.codes)
    preparation = {"pixels": pixels, "code_map": code_map, "mean": prepared.mean, "scale": prepared.scale}
    write_dataset_report("meter crops", overview, splits, preparation)
    run.record("source.class_counts", [overview["classes"][str(code)] for code in known])
    seen = dict(zip(targets["test"].tolist(), parts["test"][0][label], strict=True))
    encoded = [str(seen.get(position, "")) for position in range(len(prepared.codes))]
    decoded = prep.decode(range(len(prepared.codes)), prepared)
    run.meta.update(
        task="classification",
        kind="image",
        metric="accuracy",
        source_classes=known,
        classes={"train": prepared.codes, "evaluation": encoded},
        model_outputs=len(prepared.codes),
        feature_names=names,
        feature_kinds=["pixel"] * len(names),
        rows={"source": len(exported), "prepared": sum(len(rows) for rows, _ in parts.values())},
        fingerprints={"label_map": {"train": code_map, "serving": fingerprint(decoded)}},
    )


def report(run, config, net, result, inputs, targets, codes):
    """eval_results.json and the answers behind it."""
    options = config["report"]
    epoch = engine.load_checkpoint(net, result, options["snapshot"])
    snapshot = {"name": options["snapshot"], "epoch": epoch}
    summary = {"run_id": run.run_id, "metric": "accuracy", "average": "macro", "checkpoint": snapshot}
    for block, source in (("train", "train"), ("validation", "validation"), ("test", options["on"])):
        order = prep.evaluation_order(len(inputs[source]), config["experiment"]["random_state"])
        logits = engine.predict(net, torch.from_numpy(inputs[source][order]), options["minibatch"])
        probabilities = probabilities_of(logits)
        run.record(f"{block}.score", probabilities)
        run.record(f"{block}.prediction", probabilities.argmax(axis=1))
        if block == "test":
            again = probabilities_of(engine.predict_again(net, torch.from_numpy(inputs[source])))
            run.record("test.repeat_gap", np.abs(again - probabilities).max(axis=1))
        if source != block:
            for kind in ("row_id", "group", "time", "row_hash", "source_target", "features", "target"):
                run.record(f"{block}.{kind}", run.arrays[f"{source}.{kind}"])
        if block != "train":
            scores = classification_scores(targets[source], probabilities, codes, top_k=options["top_k"])
            numbers = scores["n"], scores["accuracy"], scores["loss"]
            run.log.info("report: %s n=%d accuracy=%.4f loss=%.4f", block, *numbers)
            summary[block] = scores
    run.meta["evaluated_epoch"] = epoch
    write_json("eval_results.json", summary)
    run.log.info("done: %s, %d epochs, last train_loss=%.4f", result.ended, result.epochs_run, result.final_train_loss)
    run.save_record()


def serve(trained, source, target):
    """Read the codes of a batch: names by position go into the header, positions into the record."""
    batch, crops = prep.read_batch(source)
    inputs = prep.evaluation_inputs(batch, crops, trained.prepared)
    probabilities = probabilities_of(engine.predict(trained.net, torch.from_numpy(inputs)))
    write_record(
        target,
        {"row_id": batch["row_id"], "prediction": probabilities.argmax(axis=1), "score": probabilities},
        {"classes": prep.decode(range(probabilities.shape[1]), trained.prepared)},
    )


if __name__ == "__main__":
    train()
