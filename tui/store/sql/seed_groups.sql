-- Experiments that differ only in their seeds, with mean and spread of one metric; $metric is its key.

-- As `--group-seeds` has them: the same are the other params, and the hashes of all deps that no stage writes; where one
-- of these has no hash, or there is none, also the commit they were started from. The same result again is left out.
WITH recipes AS (
    SELECT
        rev, name,
        md5(string_agg(line, chr(10) ORDER BY line) FILTER (NOT is_seed)) AS recipe,
        md5(string_agg(line, chr(10) ORDER BY line) FILTER (is_seed)) AS seeds
    FROM (
        SELECT
            rev, name,
            key || '=' || coalesce(number::VARCHAR, value) AS line,
            regexp_matches(key, '(^|[.:])(seed|random_state|random_seed)$', 'i') AS is_seed
        FROM params
    )
    GROUP BY rev, name
),
sources AS (
    SELECT
        rev, name,
        md5(string_agg(path || '=' || coalesce(hash, ''), chr(10) ORDER BY path)) AS source,
        count(hash) = count(*) AS is_known
    FROM hashes
    WHERE kind = 'dep' AND NOT is_made
    GROUP BY rev, name
),
results AS (
    SELECT rev, name, md5(string_agg(key || '=' || coalesce(value::VARCHAR, text, ''), chr(10) ORDER BY key)) AS result
    FROM metrics
    WHERE NOT is_resource
    GROUP BY rev, name
),
distinct_runs AS (
    SELECT
        recipe, source,
        CASE WHEN is_known THEN NULL ELSE coalesce(e.baseline, e.rev) END AS start,
        arg_min(e.name, e.rowid) AS name,
        arg_min(m.value, e.rowid) AS value
    FROM experiments AS e
    JOIN metrics AS m USING (rev, name)
    LEFT JOIN recipes USING (rev, name)
    LEFT JOIN sources USING (rev, name)
    LEFT JOIN results USING (rev, name)
    WHERE m.key = $metric AND m.value IS NOT NULL AND e.kind <> 'workspace' AND e.status = 'done'
    GROUP BY recipe, source, start, seeds, result
)
SELECT
    count(*) AS num_seeds,
    avg(value) AS mean,
    stddev_samp(value) AS spread,
    min(value) AS lowest,
    max(value) AS highest,
    string_agg(name, ', ' ORDER BY name) AS names
FROM distinct_runs
GROUP BY recipe, source, start
HAVING count(*) > 1
ORDER BY num_seeds DESC, names
