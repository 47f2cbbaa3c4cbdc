"""Train, evaluate and serve the ticket router."""

import os
from dataclasses import dataclass

import numpy as np
import torch
import yaml

import engine
import model as nets
import preprocessing as prep
from dataset_report import class_counts, curable_share, describe_features, write_dataset_report
from scores import classification_scores
from tracking import Run, fingerprint, row_hashes, write_json, write_record

STAGES = ("train", "validation", "test")
PREPARED = ("row_id", "group", "time", "row_hash", "source_target", "features", "target", "length", "unknown_share", "curable_share")


@dataclass
class Router:
    config: dict
    encoder: object
    net: object


def softmax(outputs):
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def settings_from(config):
    optim, schedule, trainer = config["optim"], config["lr_schedule"], config["trainer"]
    return engine.TrainSettings(
        epochs=trainer["max_epochs"],
        batch_size=trainer["batch_size"],
        optimizer=optim["kind"],
        learning_rate=optim["lr"],
        seed=config["experiment"]["random_state"],
        weight_decay=optim["weight_decay"],
        momentum=optim["momentum"],
        scheduler=schedule["kind"],
        step_size=schedule["every"],
        gamma=schedule["gamma"],
        warmup_steps=schedule["warmup"],
        grad_clip=trainer["clip_norm"],
        accumulate=trainer["accumulate"],
        ema_decay=trainer["ema"],
        checkpoint_monitor=config["ckpt"]["monitor"],
        checkpoint_mode=config["ckpt"]["mode"],
        metric_name="accuracy",
    )


def train():
    run = Run()
    try:
        return _train(run)
    except Exception:
        run.log.exception("run failed")
        raise


def _train(run):
    with open("config.yaml", encoding="utf-8") as handle:
        config = yaml.safe_load(handle)
    dataset, label, options = config["dataset"], config["dataset"]["target"], config["tokenizer"]
    exported = prep.load_tickets(dataset["file"])
    distinct = prep.distinct_tickets(exported)
    tickets = prep.labelled_tickets(distinct, label)
    run.log.info("%d tickets exported, %d distinct, %d with a %s", len(exported), len(distinct), len(tickets), label)
    chosen = prep.split_tickets(tickets, dataset)
    parts = {stage: tickets.iloc[chosen[stage]].reset_index(drop=True) for stage in STAGES}
    run.log.info("tickets per split: %s", {stage: len(parts[stage]) for stage in STAGES})

    encoder = prep.TextEncoder(dataset["fields"], options["max_length"], options["truncate"])
    words = {"train": prep.training_words(parts["train"], encoder.fields)}
    words |= {stage: prep.evaluation_words(parts[stage], encoder) for stage in STAGES[1:]}
    encoder.vocabulary = prep.build_vocabulary(words["train"], options)
    targets = {}
    targets["train"], encoder.queue_ids = prep.encode_queues(parts["train"][label])
    targets |= {stage: prep.evaluation_targets(parts[stage], label, encoder) for stage in STAGES[1:]}
    tables = {"train": prep.training_table(encoder), "evaluation": prep.evaluation_table(encoder)}
    tables |= {"validation": tables["evaluation"], "test": tables["evaluation"]}
    ids = {stage: prep.padded_ids(words[stage], tables[stage], encoder) for stage in STAGES}
    run.log.info("vocabulary of %d words, %s tokens kept at most", len(encoder.vocabulary), encoder.max_length)
    describe(run, config, exported, parts, words, ids, targets, encoder, tables)

    seed = config["experiment"]["random_state"]
    classes = prep.queue_names(range(len(encoder.queue_ids)), encoder)
    net = nets.build(config["net"], len(encoder.vocabulary), len(classes), seed)
    engine.freeze(net, config["net"]["frozen"])
    truth = {stage: torch.from_numpy(np.array(targets[stage], dtype=np.int64)) for stage in STAGES}
    tensors = {stage: (torch.from_numpy(ids[stage]), truth[stage]) for stage in STAGES}
    result = engine.fit(
        run,
        net,
        engine.classification_loss(config["trainer"]["label_smoothing"]),
        tensors["train"],
        tensors["validation"],
        lambda outputs, truth: float(np.mean(outputs.argmax(axis=1) == truth)),
        settings_from(config),
    )
    evaluate(run, config, net, result, ids, targets, classes)
    engine.load_checkpoint(net, result, "best")
    return Router(config, encoder, net)


def describe(run, config, exported, parts, words, ids, targets, encoder, tables):
    """dataset_stats.json and what the record says about data and encoders."""
    label = config["dataset"]["target"]
    known = exported.dropna(subset=[label])
    names = sorted(known[label].unique())
    places = {name: position for position, name in enumerate(names)}
    raw_queue = exported.set_index("ticket_id")[label].map(places).fillna(-1)
    splits = {}
    for stage in STAGES:
        part, lists = parts[stage], words[stage]
        table = tables[stage]
        lengths = np.array([len(each) for each in lists])
        unknown = np.array([len(each) - sum(map(table.__contains__, each)) for each in lists]) / np.maximum(lengths, 1)
        measures = np.column_stack([lengths, unknown, (ids[stage] != table[prep.PAD]).sum(axis=1)])
        splits[stage] = {
            "rows": len(part),
            "customers": part["customer_id"].nunique(),
            "first_day": str(part["created_at"].min().date()),
            "last_day": str(part["created_at"].max().date()),
            "classes": class_counts(part[label].fillna("(missing)")),
            "encoded_classes": class_counts(targets[stage]),
            "features": describe_features(measures, ["words", "unknown_share", "words_kept"]),
            "longer_than_limit": float(np.mean(lengths > encoder.max_length)),
        }
        run.record(f"{stage}.row_id", part["ticket_id"])
        run.record(f"{stage}.group", part["customer_id"])
        run.record(f"{stage}.time", part["created_at"].to_numpy().astype("datetime64[s]").astype(np.int64))
        texts = prep.full_text(part, ["subject", "body"])
        run.record(f"{stage}.row_hash", row_hashes(text.encode("utf-8") for text in texts))
        run.record(f"{stage}.source_target", raw_queue.loc[part["ticket_id"]])
        run.record(f"{stage}.features", ids[stage])
        run.record(f"{stage}.target", targets[stage])
        run.record(f"{stage}.length", lengths)
        run.record(f"{stage}.unknown_share", unknown)
        run.record(f"{stage}.curable_share", [curable_share(each, table) for each in lists])
    source = {
        "rows": len(exported),
        "columns": list(exported.columns),
        "missing": {name: int(count) for name, count in exported.isna().sum().items() if count},
        "distinct_texts": int((~exported.duplicated(subset=["subject", "body"])).sum()),
        "customers": exported["customer_id"].nunique(),
        "classes": class_counts(known[label]),
    }
    built = {
        "vocabulary": {"words": len(encoder.vocabulary), "version": fingerprint(tables["train"])},
        "label_map": fingerprint(encoder.queue_ids),
        "fields": list(encoder.fields),
    }
    write_dataset_report("support tickets", source, splits, built)
    run.record("source.class_counts", [source["classes"][name] for name in names])

    ordered = sorted(encoder.queue_ids, key=encoder.queue_ids.get)
    seen = dict(zip(targets["test"], parts["test"][label], strict=True))
    sample = parts["train"].head(40)
    run.meta.update(
        task="classification",
        kind="text",
        metric="accuracy",
        source_classes=names,
        classes={"train": ordered, "evaluation": [str(seen.get(position, "")) for position in range(len(ordered))]},
        model_outputs=len(ordered),
        feature_names=[f"token_{position:02d}" for position in range(encoder.max_length)],
        feature_kinds=["token"] * encoder.max_length,
        rows={"source": len(exported), "prepared": sum(len(part) for part in parts.values())},
        fingerprints={
            "vocabulary": {
                "train": fingerprint(tables["train"]),
                "evaluation": fingerprint(tables["evaluation"]),
                "serving": fingerprint(prep.serving_table(encoder)),
            },
            "tokenizer": {
                "train": fingerprint(prep.training_words(sample, encoder.fields)),
                "evaluation": fingerprint(prep.evaluation_words(sample, encoder)),
                "serving": fingerprint(prep.serving_words(sample, encoder)),
            },
            "label_map": {
                "train": fingerprint(ordered),
                "serving": fingerprint(prep.queue_names(range(len(ordered)), encoder)),
            },
        },
    )


def evaluate(run, config, net, result, ids, targets, classes):
    """eval_results.json and the answers behind it, ticket by ticket."""
    options = config["eval"]
    epoch = engine.load_checkpoint(net, result, options["weights"])
    report = {"run_id": run.run_id, "metric": "accuracy", "top_k": options["top_k"]}
    report["checkpoint"] = {"name": options["weights"], "epoch": epoch}
    for block, stage in (("train", "train"), ("validation", "validation"), ("test", options["split"])):
        order = prep.evaluation_order(len(ids[stage]), config["experiment"]["random_state"])
        probabilities = softmax(engine.predict(net, torch.from_numpy(ids[stage][order]), options["batch_size"]))
        run.record(f"{block}.score", probabilities)
        run.record(f"{block}.prediction", probabilities.argmax(axis=1))
        if block == "test":
            again = softmax(engine.predict_again(net, torch.from_numpy(ids[stage])))
            run.record("test.repeat_gap", np.abs(again - probabilities).max(axis=1))
        if stage != block:
            for kind in PREPARED:
                run.record(f"{block}.{kind}", run.arrays[f"{stage}.{kind}"])
        if block != "train":
            found = classification_scores(targets[stage], probabilities, classes, top_k=options["top_k"])
            report[block] = found
            numbers = (block, found["n"], found["accuracy"], found["loss"])
            run.log.info("scores on %s (%d tickets): accuracy=%.4f loss=%.4f", *numbers)
    run.meta["evaluated_epoch"] = epoch
    write_json("eval_results.json", report)
    numbers = (result.ended, result.epochs_run, result.final_train_loss)
    run.log.info("training %s: %d epochs, final train_loss=%.4f", *numbers)
    run.save_record()


def serve(trained, source, target):
    """Route the tickets in `source`; queue names go into the header, positions into the record."""
    tickets = prep.load_tickets(os.path.join(source, "tickets.csv"))
    encoder = trained.encoder
    ids = prep.padded_ids(prep.serving_words(tickets, encoder), prep.serving_table(encoder), encoder)
    probabilities = softmax(engine.predict(trained.net, torch.from_numpy(ids)))
    write_record(
        target,
        {"row_id": tickets["ticket_id"], "prediction": probabilities.argmax(axis=1), "score": probabilities},
        {"classes": prep.queue_names(range(probabilities.shape[1]), encoder)},
    )


if __name__ == "__main__":
    train()
