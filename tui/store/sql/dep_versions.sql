-- Versions of every dependency: which hash is used by how many experiments, and by which first.
SELECT
    h.path,
    h.hash,
    count(*) AS num_experiments,
    arg_min(e.name, (coalesce(e.timestamp, 'infinity'::TIMESTAMP), e.name)) AS first
FROM hashes AS h
JOIN experiments AS e USING (rev, name)
WHERE h.kind = 'dep' AND h.hash IS NOT NULL AND e.kind = 'experiment'
GROUP BY h.path, h.hash
ORDER BY h.path, num_experiments DESC, h.hash
