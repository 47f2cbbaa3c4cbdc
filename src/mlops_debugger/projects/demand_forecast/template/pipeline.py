"""Train, report on and serve the site-load forecast."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import yaml

import engine
import model as networks
import preprocessing
from dataset_report import describe_features, write_dataset_report
from scores import regression_scores
from tracking import Run, fingerprint, write_json, write_record


@dataclass
class Trained:
    settings: dict
    scaling: object
    network: object


def read_settings():
    with open("config.yaml", encoding="utf-8") as stream:
        return yaml.safe_load(stream)


def train():
    run = Run()
    try:
        return fit_and_report(run, read_settings())
    except Exception:
        run.log.exception("run aborted")
        raise


def fit_and_report(run, settings):
    features, seed = settings["features"], settings["experiment"]["seed"]
    history = preprocessing.read_history(settings["data"])
    run.log.info("history: %d steps from %s to %s", len(history), history["time"].min(), history["time"].max())
    table = preprocessing.input_table(history, features)
    frame = history.assign(
        position=np.arange(len(history)),
        label=preprocessing.training_labels(history, table),
        target=preprocessing.evaluation_targets(history),
    ).join(table[["level"]])
    frame = preprocessing.labelled_rows(frame)
    table = table.iloc[frame["position"]].reset_index(drop=True)
    rows = preprocessing.split_rows(len(frame), settings["data"]["split"])
    frames = {name: frame.iloc[index].reset_index(drop=True) for name, index in rows.items()}
    tables = {name: table.iloc[index].reset_index(drop=True) for name, index in rows.items()}
    run.log.info("usable rows: %d, %s", len(frame), ", ".join(f"{name} {len(part)}" for name, part in frames.items()))

    scaling = preprocessing.fit_scaling(tables["train"], frames["train"]["label"], features)
    inputs = {"train": preprocessing.transform_training(tables["train"], scaling)}
    labels = {"train": preprocessing.scale_labels(frames["train"]["label"], scaling)}
    for name in ("validation", "test"):
        inputs[name] = preprocessing.transform_evaluation(tables[name], scaling)
        labels[name] = preprocessing.scale_labels(frames[name]["target"] - tables[name]["level"], scaling)
    names = preprocessing.input_columns(table)
    run.log.info("inputs: %d columns, forecast %d steps ahead", len(names), features["horizon"])
    describe(run, history, frames, tables, inputs, scaling, names)

    network = networks.make_network(len(names), settings["network"], seed)
    engine.freeze(network, settings["network"]["frozen"])
    tensors = {name: (torch.from_numpy(inputs[name]), torch.from_numpy(labels[name])) for name in inputs}
    result = engine.fit(
        run,
        network,
        networks.loss_named(settings["trainer"]["loss"]),
        tensors["train"],
        tensors["validation"],
        lambda outputs, truth: np.mean(np.abs(outputs - truth)) * scaling.label_sd,
        engine_settings(settings),
    )
    report(run, settings, network, result, frames, tables, inputs, scaling)
    engine.load_checkpoint(network, result, "best")
    return Trained(settings, scaling, network)


def engine_settings(settings):
    optim, schedule, trainer = settings["optim"], settings["lr_schedule"], settings["trainer"]
    return engine.TrainSettings(
        epochs=trainer["max_epochs"],
        batch_size=trainer["batch_size"],
        optimizer=optim["name"],
        learning_rate=optim["lr"],
        seed=settings["experiment"]["seed"],
        weight_decay=optim["weight_decay"],
        momentum=optim["momentum"],
        scheduler=schedule["kind"],
        step_size=schedule["step_size"],
        gamma=schedule["gamma"],
        warmup_steps=schedule["warmup_steps"],
        grad_clip=trainer["gradient_clip_val"],
        accumulate=trainer["accumulate_grad_batches"],
        ema_decay=trainer["ema_decay"],
        checkpoint_monitor=settings["checkpointing"]["monitor"],
        checkpoint_mode=settings["checkpointing"]["mode"],
        metric_name="mae",
    )


def spread(values):
    """How a column of MWh is distributed."""
    low, median, high = np.quantile(values, [0.0, 0.5, 1.0])
    return {"mean": np.mean(values), "sd": np.std(values), "min": low, "median": median, "max": high}


def describe(run, history, frames, tables, inputs, scaling, names):
    """dataset_stats.json, and what the record says about the rows."""
    splits = {
        name: {
            "rows": len(part),
            "first_time": str(part["time"].min()),
            "last_time": str(part["time"].max()),
            "backup_share": float(part["backup"].mean()),
            "target": spread(part["target"]),
            "label": spread(part["label"]),
            "level": spread(tables[name]["level"]),
            "features": describe_features(inputs[name], names),
        }
        for name, part in frames.items()
    }
    known = history.dropna(subset=["load"])
    source = {
        "rows": len(history),
        "columns": [name for name in history.columns if name != "series"],
        "missing": {name: int(count) for name, count in history.isna().sum().items() if count},
        "backup_share": float(history["backup"].mean()),
        "readings": {("main", "backup")[meter]: spread(part) for meter, part in known.groupby("backup")["load"]},
        "temperature": spread(history["temperature"].dropna()),
    }
    fitted = {
        "scaler": fingerprint(scaling.inputs.mean_, scaling.inputs.scale_),
        "label_mean": scaling.label_mean,
        "label_sd": scaling.label_sd,
        "inputs": len(names),
    }
    write_dataset_report("site load", source, splits, fitted)
    run.meta.update(
        task="regression",
        kind="series",
        metric="mae",
        model_outputs=1,
        feature_names=names,
        feature_kinds=["category" if name == "weekend" else "numeric" for name in names],
        rows={"source": len(history), "prepared": sum(len(part) for part in frames.values())},
        fingerprints={
            "columns": {
                "train": fingerprint(list(scaling.inputs.feature_names_in_)),
                "evaluation": fingerprint(preprocessing.input_columns(tables["test"])),
            }
        },
    )
    run.record("source.series", history["load"])
    for name, part in frames.items():
        run.record(f"{name}.row_id", part["row_id"])
        run.record(f"{name}.time", part["position"])
        run.record(f"{name}.row_hash", pd.util.hash_pandas_object(tables[name][names], index=False) // 4096)
        run.record(f"{name}.features", inputs[name])


def report(run, settings, network, result, frames, tables, inputs, scaling):
    """eval_results.json and the forecasts behind it."""
    options = settings["report"]
    epoch = engine.load_checkpoint(network, result, options["checkpoint"])
    summary = {"run_id": run.run_id, "metric": "mae", "average": "rows"}
    summary["checkpoint"] = {"name": options["checkpoint"], "epoch": epoch}
    for block, source in (("train", "train"), ("validation", "validation"), ("test", options["split"])):
        order = preprocessing.evaluation_order(len(inputs[source]), settings["experiment"]["seed"])
        outputs = engine.predict(network, torch.from_numpy(inputs[source][order]), options["batch_size"])
        truth, forecasts = preprocessing.scored_pairs(frames[source], tables[source], outputs, scaling)
        run.record(f"{block}.target", truth)
        run.record(f"{block}.prediction", forecasts)
        if block == "test":
            again = engine.predict_again(network, torch.from_numpy(inputs[source]))
            run.record("test.repeat_gap", np.abs(again - outputs).reshape(len(outputs), -1).max(axis=1))
        if source != block:
            for kind in ("row_id", "time", "row_hash", "features"):
                run.record(f"{block}.{kind}", run.arrays[f"{source}.{kind}"])
        if block != "train":
            summary[block] = regression_scores(truth, forecasts)
            figures = (summary[block][key] for key in ("n", "mae", "rmse", "bias"))
            run.log.info("%s: %d rows, mae=%.4f rmse=%.4f bias=%.4f", block, *figures)
    run.meta["evaluated_epoch"] = epoch
    write_json("eval_results.json", summary)
    run.log.info("done: %s after %d epochs, train_loss=%.4f", result.ended, result.epochs_run, result.final_train_loss)
    run.save_record()


def serve(trained, source, target):
    """Answer the forecast requests in `source`."""
    frame = preprocessing.read_requests(source, trained.settings["data"])
    last = ~frame["series"].duplicated(keep="last")
    table = preprocessing.input_table(frame, trained.settings["features"])[last]
    inputs = preprocessing.transform_evaluation(table, trained.scaling)
    outputs = engine.predict(trained.network, torch.from_numpy(inputs))
    forecasts = preprocessing.decode(outputs, table, trained.scaling)
    write_record(target, {"row_id": frame["row_id"][last], "prediction": forecasts}, {"unit": "MWh"})


if __name__ == "__main__":
    train()
