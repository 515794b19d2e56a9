-- Where a series was best and where it ended, for every experiment and stage; $curve is its name.
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
WHERE metric = $curve
ORDER BY name, rev, stage
