-- Scores by category of every experiment, beside the base model's.
SELECT
    name,
    rev,
    coalesce(category, '') AS category,
    count(*) AS num_examples,
    avg(exact_match::INT) AS exact_match,
    avg(base_exact_match::INT) AS base_exact_match,
    avg(chrf) AS chrf,
    avg(loss) AS loss
FROM predictions
GROUP BY name, rev, coalesce(category, '')
ORDER BY name, rev, category
