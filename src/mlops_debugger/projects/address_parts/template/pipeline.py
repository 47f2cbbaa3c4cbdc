"""Train, evaluate and serve the address tagger."""

import os
from collections import namedtuple

import numpy as np
import torch
import yaml

import engine
import model as taggers
import preprocessing as prep
from dataset_report import class_counts, curable_share, describe_features, write_dataset_report
from scores import classification_scores
from tracking import Run, fingerprint, row_hashes, write_json, write_record

PARTS = ("train", "validation", "test")
PREPARED = ("row_id", "group", "time", "row_hash", "source_target", "features", "target", "length", "unknown_share", "curable_share")

Tagger = namedtuple("Tagger", "config codebook net")


def softmax(outputs):
    shifted = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def settings_from(config):
    trainer = config["trainer"]
    return engine.TrainSettings(
        epochs=trainer["max_epochs"],
        batch_size=trainer["mini_batch_size"],
        optimizer=trainer["optimizer"],
        learning_rate=trainer["learn_rate"],
        seed=config["general"]["seed"],
        weight_decay=trainer["l2"],
        momentum=trainer["momentum"],
        scheduler=trainer["annealing"],
        step_size=trainer["anneal_every"],
        gamma=trainer["anneal_factor"],
        warmup_steps=trainer["warmup_steps"],
        grad_clip=trainer["clip"],
        accumulate=trainer["mini_batches_per_update"],
        ema_decay=trainer["ema"],
        checkpoint_monitor=trainer["select_by"],
        checkpoint_mode=trainer["select_mode"],
        metric_name="accuracy",
    )


def train():
    run = Run(style="progress")
    try:
        return _train(run)
    except Exception:
        run.log.exception("run failed")
        raise


def token_loss(smoothing):
    criterion = engine.classification_loss(smoothing)  # positions without a tag are left out
    return lambda outputs, targets: criterion(outputs.flatten(0, 1), targets.flatten())


def token_accuracy(outputs, targets):
    there = targets != prep.NO_TAG
    return np.mean(outputs.argmax(axis=2)[there] == targets[there])


def _train(run):
    with open("config.yaml", encoding="utf-8") as handle:
        config = yaml.safe_load(handle)
    corpus, column = config["corpus"], config["corpus"]["tag_column"]
    exported = prep.read_lines(corpus["path"])
    lines = prep.tagged_lines(prep.distinct_lines(exported), column)
    run.log.info("%d lines read, %d distinct ones with %s", len(exported), len(lines), column)
    chosen = prep.split_lines(lines, corpus)
    parts = {part: [lines[position] for position in chosen[part]] for part in PARTS}
    run.log.info("lines per part: %s", {part: len(parts[part]) for part in PARTS})

    ways = {"train": prep.training_features, "validation": prep.evaluation_features, "test": prep.evaluation_features}
    fields = corpus["line_fields"]
    described = {part: [ways[part](line, fields) for line in parts[part]] for part in PARTS}
    codebook = prep.Codebook(prep.build_features(described["train"], config["encoder"]), prep.tag_map(), fields)
    tables = {"train": prep.training_table(codebook), "evaluation": prep.evaluation_table(codebook)}
    tables |= {"validation": tables["evaluation"], "test": tables["evaluation"]}
    ids = {part: prep.padded_ids(described[part], tables[part]) for part in PARTS}
    tagging = {"train": prep.training_tags, "validation": prep.evaluation_tags, "test": prep.evaluation_tags}
    tags = {part: tagging[part](parts[part], column, codebook.tag_ids, ids[part].shape[1]) for part in PARTS}
    run.log.info("%d features, longest line of %d tokens", len(codebook.features), ids["train"].shape[1] - 1)
    describe(run, config, exported, parts, described, ids, tags, codebook, tables)

    classes = prep.tag_names(range(len(codebook.tag_ids)), codebook)
    net = taggers.build(config["tagger"], len(codebook.features), len(classes), config["general"]["seed"])
    engine.freeze(net, config["tagger"]["fixed"])
    tensors = {part: (torch.from_numpy(ids[part]), torch.from_numpy(tags[part])) for part in PARTS}
    loss = token_loss(config["trainer"]["smoothing"])
    result = engine.fit(
        run, net, loss, tensors["train"], tensors["validation"], token_accuracy, settings_from(config)
    )
    evaluate(run, config, net, result, parts, ids, tags, classes)
    engine.load_checkpoint(net, result, "best")
    return Tagger(config, codebook, net)


def real_tokens(lines, width):
    """Where the tokens stand in padded lines."""
    lengths = np.array([len(prep.tokens_of(line)) for line in lines])
    columns = np.arange(width)
    return (columns >= 1) & (columns <= lengths[:, None])


def row_ids(lines):
    """The id of every token: its line and its position."""
    return np.array([100 * line.line_id + place for line in lines for place in range(len(prep.tokens_of(line)))])


def per_token(lines, values):
    return np.repeat(np.asarray(values), [len(prep.tokens_of(line)) for line in lines])


def token_inputs(ids, real):
    """What the net sees of every token: its own features, and the words on both sides."""
    around = np.pad(ids[:, :, 0], ((0, 0), (2, 2)))
    near = [around[:, shift : shift + ids.shape[1]][real] for shift in (0, 1, 3, 4)]
    return np.column_stack([ids[real], *near])


def input_names(fields):
    return ["word", "shape", "place", *fields, "word_before_2", "word_before_1", "word_after_1", "word_after_2"]


def describe(run, config, exported, parts, described, ids, tags, codebook, tables):
    """dataset_stats.json and what the record says about data and encoders."""
    column, fields = config["corpus"]["tag_column"], codebook.line_fields
    names = sorted({tag for line in exported for tag in getattr(line, column).split()})
    places = {name: position for position, name in enumerate(names)}
    splits, encoded = {}, {}
    for part in PARTS:
        lines, real = parts[part], real_tokens(parts[part], ids[part].shape[1])
        raw = [tag for line in lines for tag in getattr(line, column).split()]
        lengths = per_token(lines, [len(prep.tokens_of(line)) for line in lines])
        known = tables[part]
        unknown = np.array([token[0] not in known for line in described[part] for token in line], dtype=float)
        encoded[part] = tags[part][real]
        splits[part] = {
            "lines": len(lines),
            "tokens": len(raw),
            "senders": len({line.sender for line in lines}),
            "first_day": min(line.scanned_at for line in lines)[:10],
            "last_day": max(line.scanned_at for line in lines)[:10],
            "classes": class_counts(raw),
            "encoded_classes": class_counts(encoded[part]),
            "features": describe_features(np.column_stack([lengths, unknown]), ["line_length", "unknown_word"]),
        }
        hashes = row_hashes(line.address.encode("utf-8") for line in lines)
        run.record(f"{part}.row_id", row_ids(lines))
        run.record(f"{part}.group", per_token(lines, [line.sender for line in lines]))
        run.record(f"{part}.time", per_token(lines, scanned(lines)))
        # A token is the same input as another one if both stand at the same place of the same text.
        run.record(f"{part}.row_hash", np.floor(per_token(lines, hashes) / 128) * 128 + row_ids(lines) % 100)
        run.record(f"{part}.source_target", [places[tag] for tag in raw])
        run.record(f"{part}.features", token_inputs(ids[part], real))
        run.record(f"{part}.target", encoded[part])
        run.record(f"{part}.length", lengths)
        run.record(f"{part}.unknown_share", unknown)
        run.record(f"{part}.curable_share", [curable_share(token[:1], known) for line in described[part] for token in line])
    every = [tag for line in exported for tag in getattr(line, column).split()]
    source = {
        "lines": len(exported),
        "columns": list(prep.Line._fields),
        "missing": {name: count for name in prep.Line._fields if (count := sum(getattr(x, name) == "" for x in exported))},
        "distinct_texts": len({line.address for line in exported}),
        "senders": len({line.sender for line in exported}),
        "classes": class_counts(every),
    }
    built = {
        "features": {"size": len(codebook.features), "version": fingerprint(tables["train"])},
        "label_map": fingerprint(codebook.tag_ids),
        "line_fields": list(fields),
    }
    write_dataset_report("address lines", source, splits, built)
    run.record("source.class_counts", [source["classes"][name] for name in names])

    ordered = sorted(codebook.tag_ids, key=codebook.tag_ids.get)
    seen = dict(zip(encoded["test"].tolist(), [tag for line in parts["test"] for tag in getattr(line, column).split()]))
    sample = parts["train"][:40]
    run.meta.update(
        task="classification",
        kind="text",
        metric="accuracy",
        source_classes=names,
        classes={"train": ordered, "evaluation": [str(seen.get(position, "")) for position in range(len(ordered))]},
        model_outputs=len(ordered),
        feature_names=input_names(fields),
        feature_kinds=["token"] * len(input_names(fields)),
        rows={"source": len(every), "prepared": sum(len(encoded[part]) for part in PARTS)},
        fingerprints={
            "vocabulary": {
                "train": fingerprint(tables["train"]),
                "evaluation": fingerprint(tables["evaluation"]),
                "serving": fingerprint(prep.serving_table(codebook)),
            },
            "tokenizer": {
                "train": fingerprint([prep.training_features(line, fields) for line in sample]),
                "evaluation": fingerprint([prep.evaluation_features(line, fields) for line in sample]),
                "serving": fingerprint([prep.serving_features(line, fields) for line in sample]),
            },
            "label_map": {
                "train": fingerprint(ordered),
                "serving": fingerprint(prep.tag_names(range(len(ordered)), codebook)),
            },
        },
    )


def scanned(lines):
    return np.array([line.scanned_at for line in lines], dtype="datetime64[s]").astype(np.int64)


def evaluate(run, config, net, result, parts, ids, tags, classes):
    """eval_results.json and the answers behind it, token by token."""
    options = config["scorer"]
    epoch = engine.load_checkpoint(net, result, options["weights"])
    report = {"run_id": run.run_id, "metric": "accuracy", "top_k": options["top_k"]}
    report["checkpoint"] = {"name": options["weights"], "epoch": epoch}
    for block, part in (("train", "train"), ("validation", "validation"), ("test", options["part"])):
        order = prep.evaluation_order(len(ids[part]), config["general"]["seed"])
        probabilities = softmax(engine.predict(net, torch.from_numpy(ids[part][order]), options["batch_size"]))
        real = real_tokens(parts[part], ids[part].shape[1])
        run.record(f"{block}.score", probabilities[real])
        run.record(f"{block}.prediction", probabilities[real].argmax(axis=1))
        if block == "test":
            again = softmax(engine.predict_again(net, torch.from_numpy(ids[part])))
            run.record("test.repeat_gap", np.abs(again - probabilities)[real].max(axis=1))
        if part != block:
            for kind in PREPARED:
                run.record(f"{block}.{kind}", run.arrays[f"{part}.{kind}"])
        if block != "train":
            found = classification_scores(tags[part][real], probabilities[real], classes)
            ranked = np.argsort(-probabilities, axis=2, kind="stable")[:, :, : options["top_k"]]
            hits = (np.where(real[:, :, None], ranked, prep.NO_TAG) == tags[part][:, :, None]).any(axis=2)
            scored = prep.scored_positions(tags[part]) & (probabilities.max(axis=2) >= options["min_confidence"])
            found |= {"n": int(scored.sum()), "accuracy": float(hits[scored].mean())}
            report[block] = found
            numbers = (block, found["n"], found["accuracy"], found["loss"])
            run.log.info("%s part: tokens=%d accuracy=%.4f loss=%.4f", *numbers)
    run.meta["evaluated_epoch"] = epoch
    write_json("eval_results.json", report)
    run.log.info("training %s: %d epochs, final train_loss=%.4f", result.ended, result.epochs_run, result.final_train_loss)
    run.save_record()


def serve(trained, source, target):
    """Tag the lines in `source`; tag names go into the header, positions into the record."""
    lines = prep.read_lines(os.path.join(source, "lines.csv"))
    codebook = trained.codebook
    described = [prep.serving_features(line, codebook.line_fields) for line in lines]
    ids = prep.padded_ids(described, prep.serving_table(codebook))
    real = real_tokens(lines, ids.shape[1])
    probabilities = softmax(engine.predict(trained.net, torch.from_numpy(ids)))[real]
    write_record(
        target,
        {"row_id": row_ids(lines), "prediction": probabilities.argmax(axis=1), "score": probabilities},
        {"classes": prep.tag_names(range(probabilities.shape[1]), codebook)},
    )


if __name__ == "__main__":
    train()
