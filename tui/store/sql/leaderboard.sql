-- Experiments by one metric, the best first; $metric is its key.
SELECT
    e.name,
    e.rev,
    e.method,
    e.status,
    m.value,
    rank() OVER (ORDER BY CASE WHEN m.direction = 'lower' THEN m.value ELSE -m.value END NULLS LAST) AS rank
FROM metrics AS m
JOIN experiments AS e USING (rev, name)
WHERE m.key = $metric AND m.value IS NOT NULL AND e.kind <> 'workspace'
ORDER BY rank, e.name, e.rev
