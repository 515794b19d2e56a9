-- One metric by the values of one param, where it has any effect: $param and $metric are their keys.
SELECT
    min(p.value) AS param,
    count(*) AS num_experiments,
    avg(m.value) AS mean,
    min(m.value) AS lowest,
    max(m.value) AS highest,
    stddev_samp(m.value) AS spread
FROM params AS p
JOIN metrics AS m USING (rev, name)
JOIN experiments AS e USING (rev, name)
WHERE p.key = $param AND p.is_used AND m.key = $metric AND m.value IS NOT NULL AND e.kind = 'experiment'
GROUP BY p.number, CASE WHEN p.number IS NULL THEN p.value END
ORDER BY p.number NULLS LAST, param
