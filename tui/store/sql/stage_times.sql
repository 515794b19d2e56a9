-- How long every stage took, the longest first, over the experiments that tell it in a metric named duration_s.
SELECT
    key,
    count(*) AS num_experiments,
    avg(value) AS mean_s,
    max(value) AS longest_s,
    arg_max(name, (value, name)) AS longest
FROM metrics
WHERE regexp_matches(key, '(^|[/:])duration_s$') AND value IS NOT NULL AND rev <> 'workspace'
GROUP BY key
ORDER BY mean_s DESC, key
