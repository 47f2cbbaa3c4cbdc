"""Weather is joined on another clock than the readings'.

What changes: the weather's UTC times are taken for the site's, or are moved to the wrong side.

Why it bites: every row gets the temperature of 6 to 18 hours earlier or later, in training as in production, and load
follows the temperature of its own hour.

What it leaves behind: training, validation, test and production are all poorer by the same amount; the temperature of
other hours explains the load better than the one that was joined.

Not to be confused with: a network that cannot bend (another temperature would not help then), a request clock that is
off (training is then fine), or weather of poor quality.

Source: FAULTS entry 113; pandas time-zone guide.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("underfit",),
    site="weather_join",
    sentence="Move the weather's times from UTC to the site's clock by adding the offset before joining.",
    plants=(
        CodePlant(
            "demand_forecast",
            "weather_join",
            (
                ('    local = weather["valid_at"]', '    local = weather["valid_at"] - offset'),
                ('    local = weather["valid_at"]', '    local = weather["valid_at"].sub(offset)'),
            ),
        ),
    ),
    look_alikes=(
        Move("model.activation", lambda config: "tanh"),
        Move("features.harmonics", lambda config: 4),
        Move("training.epochs", lambda config: 30),
        Move("model.dropout", lambda config: 0.2),
    ),
)
