-- Experiments that differ only in their seeds, with mean and spread of one metric; $metric is its key.
WITH recipes AS (
    SELECT rev, name, md5(string_agg(key || '=' || value, chr(10) ORDER BY key)) AS recipe
    FROM params
    WHERE NOT regexp_matches(key, '(^|[.:])(seed|random_state|random_seed)$')
    GROUP BY rev, name
)
SELECT
    count(*) AS num_seeds,
    avg(m.value) AS mean,
    stddev_samp(m.value) AS spread,
    min(m.value) AS lowest,
    max(m.value) AS highest,
    string_agg(e.name, ', ' ORDER BY e.name) AS names
FROM recipes AS r
JOIN experiments AS e USING (rev, name)
JOIN metrics AS m USING (rev, name)
WHERE m.key = $metric AND m.value IS NOT NULL AND e.kind = 'experiment'
GROUP BY r.recipe
HAVING count(*) > 1
ORDER BY num_seeds DESC, names
