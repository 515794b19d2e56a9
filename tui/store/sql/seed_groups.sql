-- Experiments that differ only in their seeds, with mean and spread of one metric; $metric is its key.

-- The same are: the other params, and the hashes of all deps that are no out too (so of code, not of what `dvc add`
-- tracks); where one has no hash, or there is none, also the commit they were started from.
WITH recipes AS (
    SELECT rev, name, md5(string_agg(key || '=' || value, chr(10) ORDER BY key)) AS recipe
    FROM params
    WHERE NOT regexp_matches(key, '(^|[.:])(seed|random_state|random_seed)$')
    GROUP BY rev, name
),
made AS (
    SELECT d.rev, d.name, d.path
    FROM hashes AS d
    JOIN hashes AS o USING (rev, name)
    WHERE d.kind = 'dep' AND o.kind = 'out'
        AND (d.path = o.path OR starts_with(d.path, o.path || '/') OR starts_with(o.path, d.path || '/'))
),
sources AS (
    SELECT
        rev, name,
        md5(string_agg(path || '=' || coalesce(hash, ''), chr(10) ORDER BY path)) AS source,
        count(hash) = count(*) AS is_known
    FROM hashes AS d ANTI JOIN made USING (rev, name, path)
    WHERE d.kind = 'dep'
    GROUP BY rev, name
)
SELECT
    count(*) AS num_seeds,
    avg(m.value) AS mean,
    stddev_samp(m.value) AS spread,
    min(m.value) AS lowest,
    max(m.value) AS highest,
    string_agg(e.name, ', ' ORDER BY e.name) AS names
FROM experiments AS e
JOIN metrics AS m USING (rev, name)
LEFT JOIN recipes AS r USING (rev, name)
LEFT JOIN sources AS s USING (rev, name)
WHERE m.key = $metric AND m.value IS NOT NULL AND e.kind = 'experiment' AND e.status = 'done'
GROUP BY r.recipe, s.source, CASE WHEN s.is_known THEN NULL ELSE coalesce(e.baseline, e.rev) END
HAVING count(*) > 1
ORDER BY num_seeds DESC, names
