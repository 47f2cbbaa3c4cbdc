"""Fit the cost model, report on it, answer quote requests."""

import os
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import yaml

import engine
import model as models
import preprocessing as prep
from dataset_report import class_counts, describe_features, write_dataset_report
from tracking import Run, fingerprint, write_json, write_record

RAW_INPUTS = ["garage_id", "part_no", "make", "mileage_km", "age", "damage_class", "planned_hours", "parts_price"]


class Trained(NamedTuple):
    config: dict
    fitted: prep.Fitted
    model: torch.nn.Module


class Prepared(NamedTuple):
    """Frames, inputs and targets (EUR) by split."""

    frames: dict
    inputs: dict
    costs: dict


def read_config():
    with open("config.yaml", encoding="utf-8") as text:
        return yaml.safe_load(text)


def train():
    run = Run(style="table")
    try:
        return run_all(run, read_config())
    except Exception:
        run.log.exception("stopped by an exception")
        raise


def run_all(run, config):
    claims = prep.read_claims(config["data"]["claims"], config["data"]["target"])
    rows = prep.split_rows(len(claims), config["data"])
    run.log.info("claims settled: %d, cost median %.2f EUR, mean %.2f EUR", len(claims), claims["cost"].median(), claims["cost"].mean())
    fitted = prep.fit(claims, rows, config["prep"])
    prepared = prepare(claims, rows, fitted, config)
    names = prep.input_names(fitted)
    run.log.info("table: %d inputs; %s", len(names), ", ".join(f"{name}={len(part)}" for name, part in prepared.frames.items()))
    describe(run, config, claims, prepared, fitted, names)

    network = models.new_model(len(names), config["mlp"], config["loop"]["seed"])
    engine.freeze(network, config["mlp"]["fixed_layers"])
    learnt = {name: prep.scaled_targets(costs, fitted) for name, costs in prepared.costs.items()}
    tensors = {name: (torch.from_numpy(prepared.inputs[name]), torch.from_numpy(learnt[name])) for name in learnt}
    result = engine.fit(
        run,
        network,
        models.LOSSES[config["loop"]["loss"]],
        tensors["train"],
        tensors["validation"],
        lambda outputs, truth: np.mean(prep.cost_errors(prep.costs_from(truth, fitted), prep.costs_from(outputs, fitted))),
        settings(config),
    )
    report(run, config, network, result, prepared, fitted)
    engine.load_checkpoint(network, result, "best")
    return Trained(config, fitted, network)


def prepare(claims, rows, fitted, config):
    frames = {name: claims.iloc[index].reset_index(drop=True) for name, index in rows.items()}
    inputs = {name: prep.inputs_of(frames[name], fitted) for name in ("validation", "test")}
    inputs["train"] = prep.training_inputs(frames["train"], fitted, config["prep"])
    costs = {name: prep.evaluation_targets(frames[name]) for name in ("validation", "test")}
    costs["train"] = frames["train"]["cost"].to_numpy()
    return Prepared(frames, inputs, costs)


def settings(config):
    opt, decay, loop, keep = config["opt"], config["decay"], config["loop"], config["keep"]
    return engine.TrainSettings(
        epochs=loop["n_epochs"],
        batch_size=loop["batch_rows"],
        optimizer=opt["method"],
        learning_rate=opt["learning_rate"],
        seed=loop["seed"],
        weight_decay=opt["weight_decay"],
        momentum=opt["momentum"],
        scheduler=decay["shape"],
        step_size=decay["every"],
        gamma=decay["factor"],
        warmup_steps=decay["warmup"],
        grad_clip=loop["max_grad_norm"],
        accumulate=loop["batches_per_update"],
        ema_decay=loop["weight_average"],
        checkpoint_monitor=keep["watch"],
        checkpoint_mode=keep["prefer"],
        metric_name="log_mae",
    )


def amounts(values):
    """Quantiles of an amount."""
    marks = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
    return {f"p{round(100 * mark)}": value for mark, value in zip(marks, np.quantile(values, marks))} | {"mean": np.mean(values)}


def describe(run, config, claims, prepared, fitted, names):
    """dataset_stats.json, and what the record says about the rows."""
    target = config["data"]["target"]
    raw = pd.read_csv(config["data"]["claims"])
    source = {
        "rows": len(raw),
        "claims": raw["claim_id"].nunique(),
        "columns": list(raw.columns),
        "missing": {name: int(count) for name, count in raw.isna().sum().items() if count},
        "networks": class_counts(raw["network"]),
        "currencies": class_counts(raw["currency"]),
        "target_as_exported": {name: amounts(part.dropna()) for name, part in raw.groupby("currency")[target]},
        "parts_price_as_exported": {name: amounts(part) for name, part in raw.groupby("network")["parts_price"]},
    }
    splits = {
        name: {
            "rows": len(part),
            "claims": part["claim_id"].nunique(),
            "garages": part["garage_id"].nunique(),
            "first_day": str(part["reported_on"].min().date()),
            "last_day": str(part["reported_on"].max().date()),
            "target": amounts(prepared.costs[name]),
            "target_median_by_network": {key: value for key, value in part.groupby("network")["cost"].median().items()},
            "work": class_counts(part["work"]),
            "features": describe_features(prepared.inputs[name], names),
        }
        for name, part in prepared.frames.items()
    }
    scaler = fingerprint(fitted.mean.to_numpy(), fitted.sd.to_numpy())
    columns = fingerprint(list(fitted.mean.index))
    preparation = {
        "scaler": scaler,
        "categories": fingerprint(fitted.categories),
        "levels": {key: {"known": len(table), "sd": table.std()} for key, table in fitted.levels.items()},
        "target_mean": fitted.target_mean,
        "target_sd": fitted.target_sd,
        "inputs": len(names),
    }
    write_dataset_report("repair claims", source, splits, preparation)
    run.meta.update(
        task="regression",
        kind="tabular",
        metric="log_mae",
        model_outputs=1,
        feature_names=names,
        feature_kinds=["category" if "=" in name else "numeric" for name in names],
        rows={"source": len(raw), "prepared": sum(len(part) for part in prepared.frames.values())},
        fingerprints={"columns": {"train": columns, "evaluation": fingerprint(fitted.numeric)}},
    )
    for name, part in prepared.frames.items():
        run.record(f"{name}.row_id", part["row_id"])
        run.record(f"{name}.group", part["claim_id"])
        run.record(f"{name}.time", part["reported_on"].to_numpy().astype("datetime64[s]").astype(np.int64))
        run.record(f"{name}.row_hash", pd.util.hash_pandas_object(part[RAW_INPUTS], index=False) // 4096)
        run.record(f"{name}.features", prepared.inputs[name])


def scores(targets, costs):
    """Figures of one block."""
    used = prep.scored_claims(targets, costs)
    targets, costs = targets[used], costs[used]
    ratio = np.log1p(np.maximum(costs, 0.0)) - np.log1p(targets)
    return {
        "n": len(targets),
        "log_mae": float(np.mean(prep.cost_errors(targets, costs))),
        "log_bias": float(np.mean(ratio)),
        "log_sd": float(np.std(ratio)),
        "mae_eur": float(np.mean(np.abs(costs - targets))),
        "median_target_eur": float(np.median(targets)),
        "median_answer_eur": float(np.median(costs)),
    }


def report(run, config, network, result, prepared, fitted):
    """eval_results.json and the answers behind it."""
    options = config["eval"]
    epoch = engine.load_checkpoint(network, result, options["weights"])
    summary = {"run_id": run.run_id, "metric": "log_mae", "unit": "log ratio of EUR", "weights": {"name": options["weights"], "epoch": epoch}}
    for block, source in (("train", "train"), ("validation", "validation"), ("test", options["block"])):
        order = prep.evaluation_order(len(prepared.inputs[source]), config["loop"]["seed"])
        outputs = engine.predict(network, torch.from_numpy(prepared.inputs[source][order]), options["batch_rows"])
        targets, costs = prepared.costs[source], prep.costs_from(outputs, fitted)
        run.record(f"{block}.target", targets)
        run.record(f"{block}.prediction", costs)
        if block == "test":
            again = engine.predict_again(network, torch.from_numpy(prepared.inputs[source]))
            run.record("test.repeat_gap", np.abs(again - outputs).reshape(len(outputs), -1).max(axis=1))
        if source != block:
            for kind in ("row_id", "group", "time", "row_hash", "features"):
                run.record(f"{block}.{kind}", run.arrays[f"{source}.{kind}"])
        if block != "train":
            summary[block] = scores(targets, costs)
            run.log.info("report %s: %s", block, " ".join(f"{key}={value:.4g}" for key, value in summary[block].items()))
    run.meta["evaluated_epoch"] = epoch
    write_json("eval_results.json", summary)
    run.log.info("ended %s, %d epochs, last train_loss=%.4f", result.ended, result.epochs_run, result.final_train_loss)
    run.save_record()


def serve(trained, source, target):
    """Quotes for the requests in `source`."""
    requests = prep.read_requests(os.path.join(source, "requests.csv"))
    outputs = engine.predict(trained.model, torch.from_numpy(prep.inputs_of(requests, trained.fitted)))
    write_record(target, {"row_id": requests["row_id"], "prediction": prep.quotes(outputs, trained.fitted)}, {"unit": "EUR"})


if __name__ == "__main__":
    train()
