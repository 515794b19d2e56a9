-- First, last, lowest and highest value of every metric of every experiment, and the first step of the lowest one.
SELECT
    name,
    rev,
    stage,
    metric,
    count(value) AS num_points,
    arg_min(value, step) FILTER (WHERE value IS NOT NULL) AS first,
    arg_max(value, step) FILTER (WHERE value IS NOT NULL) AS last,
    min(value) AS lowest,
    max(value) AS highest,
    arg_min(step, (value, step)) FILTER (WHERE value IS NOT NULL) AS lowest_at
FROM series
GROUP BY name, rev, stage, metric
ORDER BY name, rev, stage, metric
