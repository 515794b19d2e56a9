-- Where a series was best and where it ended, for every experiment and stage; $metric is its name.
SELECT
    name,
    rev,
    stage,
    num_points,
    lowest,
    lowest_step,
    highest,
    highest_step,
    last,
    last_step
FROM series_summary
WHERE metric = $metric
ORDER BY name, rev, stage
