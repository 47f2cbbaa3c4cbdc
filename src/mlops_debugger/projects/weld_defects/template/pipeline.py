"""Train, score and serve the network that looks at seam pictures."""

import numpy as np
import torch
import yaml

import engine
import preprocessing as prep
from dataset_report import class_counts, describe_features, write_dataset_report
from model import seam_network
from scores import classification_scores, confusion_counts, f1_from
from tracking import Run, fingerprint, row_hashes, write_json, write_record

ROW_NOTES = ("row_id", "group", "time", "row_hash", "source_target", "features", "target")


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def f1_within(truth, probabilities, classes, first, average):
    """F1 where the truth among the first few answers is a hit, as for the list that the repair desk sees."""
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, :first]
    counted = np.where((ranked == truth[:, None]).any(axis=1), truth, ranked[:, 0])
    return f1_from(confusion_counts(truth, counted, classes), average)


def loop_settings(config):
    sgd, plan, keep = config["sgd"], config["plan"], config["keep"]
    return engine.TrainSettings(
        epochs=plan["epochs"],
        batch_size=plan["batch"],
        optimizer=sgd["rule"],
        learning_rate=sgd["rate"],
        seed=config["experiment"]["seed"],
        weight_decay=sgd["decay"],
        momentum=sgd["momentum"],
        scheduler=plan["shape"],
        step_size=plan["drop_every"],
        gamma=plan["drop_to"],
        warmup_steps=plan["warmup"],
        grad_clip=sgd["clip"],
        accumulate=sgd["accumulate"],
        ema_decay=plan["averaging"],
        checkpoint_monitor=keep["watch"],
        checkpoint_mode=keep["direction"],
        metric_name="f1",
    )


def train():
    run = Run(style="json_lines")
    try:
        return run_training(run)
    except Exception:
        run.log.exception("training ended early")
        raise


def run_training(run):
    with open("config.yaml", encoding="utf-8") as handle:
        config = yaml.safe_load(handle)
    images = config["images"]
    catalogue = prep.read_catalogue(images["folder"])
    exported, stored = prep.read_export(images["folder"])
    rows, pictures = prep.inspected(exported, stored, images)
    run.log.info("%d pictures exported, %d inspected (%s)", len(stored), len(pictures), images["label"])
    splits = {}
    for name, index in prep.partition_rows(rows, config["partition"]).items():
        splits[name] = prep.pick_rows(rows, index), pictures[index]
        run.log.info("%s: %d pictures, %d coils", name, len(index), len(np.unique(splits[name][0]["coil"])))

    levels = prep.fit_levels(*splits["train"])
    inputs = {"train": prep.training_inputs(*splits["train"], levels)}
    targets = {"train": prep.training_targets(splits["train"][0], catalogue)}
    for name in ("validation", "test"):
        inputs[name] = prep.evaluation_inputs(*splits[name], levels)
        targets[name] = prep.evaluation_targets(splits[name][0], catalogue)
    note_data(run, config, exported, splits, inputs, targets, levels, catalogue)

    network = seam_network(config["cnn"], inputs["train"].shape[1:], len(catalogue), config["experiment"]["seed"])
    engine.freeze(network, config["cnn"]["frozen"])
    tensors = {name: (torch.from_numpy(inputs[name]), torch.from_numpy(targets[name])) for name in inputs}
    # Batch statistics need two pictures: a last batch of one is left out.
    used = len(targets["train"]) - (len(targets["train"]) % config["plan"]["batch"] == 1)
    result = engine.fit(
        run,
        network,
        engine.classification_loss(config["plan"]["smoothing"]),
        tuple(values[:used] for values in tensors["train"]),
        tensors["validation"],
        lambda logits, truth: classification_scores(truth, softmax(logits), catalogue)["f1"],
        loop_settings(config),
        augment=prep.make_augment(config["augment"]),
    )
    score(run, config, network, result, inputs, targets, catalogue)
    engine.load_checkpoint(network, result, "best")
    return {"network": network, "levels": levels, "catalogue": catalogue}


def note_data(run, config, exported, splits, inputs, targets, levels, catalogue):
    """dataset_stats.json and the arrays that describe the rows."""
    label = config["images"]["label"]
    lights, height, width = inputs["train"].shape[1:]
    names = [f"{prep.LIGHTS[light]}_{row}_{column}" for light in range(lights) for row in range(height) for column in range(width)]
    found = sorted(set(catalogue))
    place = {name: number for number, name in enumerate(found)}
    described = {}
    for name, (rows, pictures) in splits.items():
        flat = inputs[name].reshape(len(targets[name]), -1)
        stamps = rows["taken_at"].astype("datetime64[s]")
        described[name] = {
            "rows": len(flat),
            "coils": len(np.unique(rows["coil"])),
            "parts": len(np.unique(rows["part"])),
            "first_picture": str(stamps.min()),
            "last_picture": str(stamps.max()),
            "stations": class_counts(rows["station"]),
            "grades": class_counts(rows["grade"].astype(int)),
            "classes": class_counts(rows["defect"]),
            "encoded_classes": class_counts(targets[name]),
            "lights": describe_features(np.moveaxis(inputs[name], 1, 3).reshape(-1, lights), prep.LIGHTS),
            "features": describe_features(flat[:, ::7], names[::7]),
        }
        run.record(f"{name}.row_id", rows["row_id"])
        run.record(f"{name}.group", rows["coil"])
        run.record(f"{name}.time", stamps.astype(np.int64))
        run.record(f"{name}.row_hash", row_hashes(picture.tobytes() for picture in pictures))
        run.record(f"{name}.source_target", [place[defect] for defect in rows["defect"]])
        run.record(f"{name}.features", flat)
        run.record(f"{name}.target", targets[name])
    inspected = exported[label][[isinstance(defect, str) for defect in exported[label]]]
    overview = {
        "rows": len(exported["row_id"]),
        "columns": [name for name in exported if name != "window_row"],
        "missing": {label: len(exported[label]) - len(inspected)},
        "coils": len(np.unique(exported["coil"])),
        "parts": len(np.unique(exported["part"])),
        "stations": class_counts(exported["station"]),
        "classes": class_counts(inspected),
        "picture_shape": [height, width, lights],
    }
    stations = {str(station): [mean, spread] for station, (mean, spread) in levels.items()}
    level_print = fingerprint(list(stations), np.array(list(stations.values())))
    catalogue_print = fingerprint(catalogue)
    preparation = {"levels": level_print, "catalogue": catalogue_print, "stations": stations}
    write_dataset_report("seam pictures", overview, described, preparation)
    run.record("source.class_counts", [overview["classes"].get(name, 0) for name in found])
    seen = dict(zip(targets["test"].tolist(), splits["test"][0]["defect"], strict=True))
    decoded = prep.decode(range(len(catalogue)), catalogue)
    run.meta.update(
        task="classification",
        kind="image",
        metric="f1",
        source_classes=found,
        classes={"train": catalogue, "evaluation": [str(seen.get(number, "")) for number in range(len(catalogue))]},
        model_outputs=len(catalogue),
        feature_names=names,
        feature_kinds=["pixel"] * len(names),
        rows={"source": len(exported["row_id"]), "prepared": sum(len(values) for values in targets.values())},
        fingerprints={"label_map": {"train": catalogue_print, "serving": fingerprint(decoded)}},
    )


def score(run, config, network, result, inputs, targets, catalogue):
    """eval_results.json and the answers behind it."""
    scoring = config["scoring"]
    epoch = engine.load_checkpoint(network, result, scoring["weights"])
    checkpoint = {"name": scoring["weights"], "epoch": epoch}
    summary = {"run_id": run.run_id, "metric": "f1", "average": scoring["average"], "checkpoint": checkpoint}
    notes = dict(run.arrays)
    for block, source in (("train", "train"), ("validation", "validation"), ("test", scoring["part_of_data"])):
        order = prep.evaluation_order(len(inputs[source]), config["experiment"]["seed"])
        logits = engine.predict(network, torch.from_numpy(inputs[source][order]), scoring["batch"])
        probabilities = softmax(logits)
        kept = np.ones(len(order), dtype=bool)
        if block != "train":
            kept = probabilities.max(axis=1) >= scoring["min_confidence"]
        for kind in ROW_NOTES:
            run.record(f"{block}.{kind}", notes[f"{source}.{kind}"][kept])
        run.record(f"{block}.score", probabilities[kept])
        run.record(f"{block}.prediction", probabilities[kept].argmax(axis=1))
        if block == "test":
            again = softmax(engine.predict_again(network, torch.from_numpy(inputs[source])))
            run.record("test.repeat_gap", np.abs(again - probabilities)[kept].max(axis=1))
        if block != "train":
            truth, answers = targets[source][kept], probabilities[kept]
            scores = classification_scores(truth, answers, catalogue, scoring["average"])
            scores["f1"] = f1_within(truth, answers, len(catalogue), scoring["first_answers"], scoring["average"])
            summary[block] = {**scores, "pictures": len(kept)}
            run.log.info("score %s: %d pictures, f1 %.4f, loss %.4f", block, scores["n"], scores["f1"], scores["loss"])
    run.meta["evaluated_epoch"] = epoch
    write_json("eval_results.json", summary)
    run.log.info("finished (%s) after %d epochs, train_loss %.4f", result.ended, result.epochs_run, result.final_train_loss)
    run.save_record()


def serve(trained, source, target):
    """Answers for a tray: numbers in the record, their names in the header."""
    rows, pictures = prep.read_tray(source)
    inputs = torch.from_numpy(prep.evaluation_inputs(rows, pictures, trained["levels"]))
    probabilities = softmax(engine.predict(trained["network"], inputs))
    write_record(
        target,
        {"row_id": rows["row_id"], "prediction": probabilities.argmax(axis=1), "score": probabilities},
        {"classes": prep.decode(range(probabilities.shape[1]), trained["catalogue"])},
    )


if __name__ == "__main__":
    train()
