-- Examples that one experiment gets right and the other wrong; $baseline and $candidate are names or revisions.
SELECT
    old.id,
    old.category,
    CASE WHEN new.exact_match THEN 'fixed' ELSE 'broken' END AS change,
    old.prompt,
    old.reference,
    old.prediction AS baseline_prediction,
    new.prediction AS candidate_prediction
FROM (SELECT * FROM predictions WHERE $baseline IN (rev, name)) AS old
JOIN (SELECT * FROM predictions WHERE $candidate IN (rev, name)) AS new USING (id)
WHERE old.exact_match <> new.exact_match
ORDER BY change, old.category NULLS LAST, old.id
