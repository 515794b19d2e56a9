-- The best experiment of every method by one metric, with the method's mean; $metric is its key.
SELECT
    e.method,
    count(*) AS num_experiments,
    arg_min(e.name, (CASE WHEN m.direction = 'lower' THEN m.value ELSE -m.value END, e.name)) AS best,
    CASE WHEN any_value(m.direction) = 'lower' THEN min(m.value) ELSE max(m.value) END AS value,
    avg(m.value) AS mean
FROM metrics AS m
JOIN experiments AS e USING (rev, name)
WHERE m.key = $metric AND m.value IS NOT NULL AND e.kind = 'experiment' AND e.method IS NOT NULL
GROUP BY e.method
ORDER BY CASE WHEN any_value(m.direction) = 'lower' THEN min(m.value) ELSE -max(m.value) END, e.method
