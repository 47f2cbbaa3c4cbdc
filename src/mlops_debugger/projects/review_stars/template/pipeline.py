"""Train, evaluate and serve the star model."""

import os
from dataclasses import dataclass

import numpy as np
import torch
import yaml

import engine
import model as models
import preprocessing as prep
from dataset_report import class_counts, curable_share, describe_features, write_dataset_report
from scores import confusion_counts, f1_from, log_loss
from tracking import Run, fingerprint, row_hashes, write_json, write_record

STAGES = ("train", "validation", "test")
PREPARED = ("row_id", "group", "time", "row_hash", "source_target", "features", "target", "length", "unknown_share", "curable_share")


@dataclass
class Predictor:
    """What is released."""

    tokenizer: object
    model: object
    batch_size: int


def softmax(outputs):
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def probabilities_of(model, batch, batch_size):
    return softmax(engine.predict(model, torch.from_numpy(batch), batch_size))


def settings_from(args):
    return engine.TrainSettings(
        epochs=args["num_train_epochs"],
        batch_size=args["per_device_train_batch_size"],
        optimizer=args["optim"],
        learning_rate=args["learning_rate"],
        seed=args["seed"],
        weight_decay=args["weight_decay"],
        momentum=args["sgd_momentum"],
        scheduler=args["lr_scheduler_type"],
        step_size=args["lr_step_every"],
        gamma=args["lr_gamma"],
        warmup_steps=args["warmup_steps"],
        grad_clip=args["max_grad_norm"],
        accumulate=args["gradient_accumulation_steps"],
        ema_decay=args["ema_decay"],
        checkpoint_monitor=args["metric_for_best_model"],
        checkpoint_mode=args["best_model_mode"],
        metric_name="macro_f1",
    )


def macro_f1(predicted, target):
    return f1_from(confusion_counts(target, predicted, len(prep.STARS)), "macro")


def train():
    run = Run(style="trainer_dicts")
    try:
        return Training(run).carry_out()
    except Exception:
        run.log.exception("run failed")
        raise


class Training:
    """One run, from the export to the report."""

    def __init__(self, run):
        self.run = run
        with open("config.yaml", encoding="utf-8") as handle:
            self.config = yaml.safe_load(handle)
        self.label = self.config["data_args"]["label_column"]
        args = self.config["tokenizer"]
        self.tokenizer = prep.Tokenizer(list(self.config["data_args"]["text_columns"]), args["model_max_length"])

    def carry_out(self):
        self.prepare()
        self.describe()
        args, model_args = self.config["training_args"], self.config["model_args"]
        words = len(self.tokenizer.ids)
        self.model = models.build(model_args, words, len(prep.STARS), self.tokenizer.max_length, args["seed"])
        engine.freeze(self.model, model_args["frozen_modules"])
        tensors = {
            stage: (torch.from_numpy(self.batches[stage]), torch.from_numpy(self.targets[stage]))
            for stage in STAGES[:2]
        }
        result = engine.fit(
            self.run,
            self.model,
            engine.classification_loss(args["label_smoothing_factor"]),
            tensors["train"],
            tensors["validation"],
            lambda outputs, target: macro_f1(outputs.argmax(axis=1), target),
            settings_from(args),
        )
        self.evaluate(result)
        engine.load_checkpoint(self.model, result, "best")
        return Predictor(self.tokenizer, self.model, args["per_device_eval_batch_size"])

    def prepare(self):
        data_args = self.config["data_args"]
        self.exported = prep.read_reviews(data_args["train_file"])
        originals = prep.original_reviews(self.exported)
        reviews = prep.rated_reviews(originals, self.label)
        numbers = (len(self.exported), len(originals), len(reviews))
        self.run.log.info("reviews: %d exported, %d without copies, %d with stars", *numbers)
        rows = prep.split_reviews(reviews, data_args)
        self.parts = {stage: reviews.iloc[rows[stage]].reset_index(drop=True) for stage in STAGES}
        self.words = {"train": prep.training_words(self.parts["train"], self.tokenizer)}
        for stage in STAGES[1:]:
            words = prep.evaluation_words(self.parts[stage], self.tokenizer)
            scored = prep.scored_rows(words)
            self.parts[stage] = self.parts[stage].iloc[scored].reset_index(drop=True)
            self.words[stage] = [words[row] for row in scored]
        self.run.log.info("reviews by split: %s", {stage: len(self.parts[stage]) for stage in STAGES})
        self.tokenizer.build_vocabulary(self.words["train"], self.config["tokenizer"])
        self.batches = {"train": prep.training_batch(self.words["train"], self.tokenizer)}
        self.targets = {"train": np.asarray(prep.star_classes(self.parts["train"][self.label]), dtype=np.int64)}
        for stage in STAGES[1:]:
            self.batches[stage] = prep.evaluation_batch(self.words[stage], self.tokenizer)
            self.targets[stage] = np.asarray(prep.evaluation_targets(self.parts[stage], self.label), dtype=np.int64)
        self.run.log.info("vocabulary: %d entries", len(self.tokenizer.ids))

    def describe(self):
        """dataset_stats.json and what the record says about rows and encoders."""
        run, tokenizer, known = self.run, self.tokenizer, self.exported.dropna(subset=[self.label])
        names = sorted(known[self.label].unique())
        places = {name: place for place, name in enumerate(names)}
        raw = self.exported.set_index("review_id")[self.label].map(places).fillna(-1)
        splits = {}
        for stage in STAGES:
            part, words = self.parts[stage], self.words[stage]
            lengths = np.array([len(each) for each in words])
            unknown = np.array([sum(word not in tokenizer.ids for word in each) for each in words]) / lengths
            visible = self.batches[stage][:, 1].sum(axis=1)
            splits[stage] = {
                "rows": len(part),
                "reviewers": part["reviewer_id"].nunique(),
                "products": part["product_id"].nunique(),
                "from": str(part["posted_at"].min().date()),
                "to": str(part["posted_at"].max().date()),
                "half_stars": class_counts(part[self.label].fillna("(none)")),
                "classes": class_counts(self.targets[stage]),
                "features": describe_features(
                    np.column_stack([lengths, unknown, visible]), ["tokens", "unknown_share", "visible_tokens"]
                ),
            }
            run.record(f"{stage}.row_id", part["review_id"])
            run.record(f"{stage}.group", part["reviewer_id"])
            run.record(f"{stage}.time", part["posted_at"].to_numpy().astype("datetime64[s]").astype(np.int64))
            texts = (part["title"] + "\n" + part["body"]).tolist()
            run.record(f"{stage}.row_hash", row_hashes(text.encode("utf-8") for text in texts))
            run.record(f"{stage}.source_target", raw.loc[part["review_id"]])
            run.record(f"{stage}.features", self.batches[stage][:, 0])
            run.record(f"{stage}.target", self.targets[stage])
            run.record(f"{stage}.length", lengths)
            run.record(f"{stage}.unknown_share", unknown)
            run.record(f"{stage}.curable_share", [curable_share(each, tokenizer.ids) for each in words])
        source = {
            "rows": len(self.exported),
            "columns": list(self.exported.columns),
            "without_stars": len(self.exported) - len(known),
            "reviewers": self.exported["reviewer_id"].nunique(),
            "half_stars": class_counts(known[self.label]),
        }
        built = {
            "vocabulary": {"entries": len(tokenizer.ids), "version": fingerprint(list(tokenizer.ids))},
            "text_columns": tokenizer.columns,
            "max_length": tokenizer.max_length,
        }
        write_dataset_report("product reviews", source, splits, built)
        run.record("source.class_counts", [source["half_stars"][str(name)] for name in names])
        self.describe_encoders(names)

    def describe_encoders(self, names):
        tokenizer, length = self.tokenizer, self.tokenizer.max_length
        sample = self.parts["train"].head(40)
        # Texts as they come in, without what is known only afterwards.
        words = {
            "train": prep.training_words(sample, tokenizer),
            "evaluation": prep.evaluation_words(sample, tokenizer),
            "serving": prep.serving_words(sample, tokenizer),
        }
        batches = {
            "train": prep.training_batch(words["train"], tokenizer),
            "evaluation": prep.evaluation_batch(words["train"], tokenizer),
            "serving": prep.serving_batch(words["train"], tokenizer),
        }
        named = prep.star_names(range(len(prep.STARS)))
        seen = dict(zip(self.targets["test"].tolist(), self.parts["test"][self.label], strict=True))
        self.run.meta.update(
            task="classification",
            kind="text",
            metric="macro_f1",
            source_classes=names,
            classes={"train": prep.STARS, "evaluation": [str(seen.get(place, "")) for place in range(len(prep.STARS))]},
            model_outputs=len(prep.STARS),
            feature_names=[f"token_{place:02d}" for place in range(length)],
            feature_kinds=["token"] * length,
            rows={"source": len(self.exported), "prepared": sum(map(len, self.parts.values()))},
            fingerprints={
                "tokenizer": {stage: fingerprint(found) for stage, found in words.items()},
                "batches": {stage: fingerprint(found) for stage, found in batches.items()},
                "label_map": {"train": fingerprint(prep.STARS), "serving": fingerprint(named)},
            },
        )

    def evaluate(self, result):
        """eval_results.json and the answers behind it."""
        run, args = self.run, self.config["training_args"]
        epoch = engine.load_checkpoint(self.model, result, args["eval_checkpoint"])
        report = {"run_id": run.run_id, "metric": "macro_f1"}
        report["checkpoint"] = {"name": args["eval_checkpoint"], "epoch": epoch}
        for block, stage in (("train", "train"), ("validation", "validation"), ("test", args["eval_split"])):
            order = prep.evaluation_order(len(self.targets[stage]), args["seed"])
            batch, target = self.batches[stage][order], self.targets[stage]
            probabilities = probabilities_of(self.model, batch, args["per_device_eval_batch_size"])
            predicted = probabilities.argmax(axis=1)
            run.record(f"{block}.score", probabilities)
            run.record(f"{block}.prediction", predicted)
            if block == "test":
                again = softmax(engine.predict_again(self.model, torch.from_numpy(self.batches[stage])))
                run.record("test.repeat_gap", np.abs(again - probabilities).max(axis=1))
            if stage != block:
                for kind in PREPARED:
                    run.record(f"{block}.{kind}", run.arrays[f"{stage}.{kind}"])
            if block == "train":
                continue
            views = prep.report_views(predicted, target)
            matrix = confusion_counts(target, predicted, len(prep.STARS))
            recall = matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1)
            found = {"n": len(target), "loss": log_loss(target, probabilities)}
            found |= {name: macro_f1(answers, target) for name, answers in views.items()}
            found["accuracy"] = float(np.mean(predicted == target))
            found["mean_error_in_stars"] = float(np.mean(np.abs(predicted - target)))
            found["recall_by_class"] = dict(zip(prep.STARS, recall.tolist()))
            found["confusion"] = matrix.tolist()
            found["mean_confidence"] = float(probabilities.max(axis=1).mean())
            report[block] = found
            numbers = (block, found["n"], found["macro_f1"], found["loss"])
            run.log.info("eval on %s: n=%d macro_f1=%.4f loss=%.4f", *numbers)
        run.meta["evaluated_epoch"] = epoch
        write_json("eval_results.json", report)
        numbers = (result.ended, result.epochs_run, result.final_train_loss)
        run.log.info("training %s after %d epochs: train_loss=%.4f", *numbers)
        run.save_record()


def serve(trained, source, target):
    """Stars for the reviews in `source`: positions into the record, their names into its header."""
    reviews = prep.read_reviews(os.path.join(source, "reviews.csv"))
    words = prep.serving_words(reviews, trained.tokenizer)
    batch = prep.serving_batch(words, trained.tokenizer)
    probabilities = probabilities_of(trained.model, batch, trained.batch_size)
    write_record(
        target,
        {"row_id": reviews["review_id"], "prediction": probabilities.argmax(axis=1), "score": probabilities},
        {"classes": prep.star_names(range(probabilities.shape[1]))},
    )


if __name__ == "__main__":
    train()
