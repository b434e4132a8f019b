-- 5,000 made-up texts of about 900 bytes, for the benchmarks of search by words.
CREATE EXTENSION tenancy CASCADE;
-- Words of which the i-th is about 1/i as frequent as the first, as in any language.
SELECT setseed(0.5) \g /dev/null
CREATE TABLE vocabulary AS
SELECT i, (SELECT string_agg(chr(97 + floor(random() * 26)::integer), '') FROM generate_series(1, 4 + i % 6)) AS word FROM generate_series(1, 20000) i;
CREATE UNIQUE INDEX ON vocabulary (i);
CREATE FUNCTION some_words(count integer) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(v.word, ' ') FROM (SELECT floor(exp(random() * ln(20000)))::integer AS i FROM generate_series(1, count)) r JOIN vocabulary v USING (i)
$$;
CREATE FUNCTION some_embedding(i integer) RETURNS vector LANGUAGE sql VOLATILE AS $$
    SELECT array_agg((random() - 0.5)::real)::vector FROM generate_series(1, 384)
$$;
CREATE TABLE texts AS SELECT i, some_words(115 + i % 21) AS content FROM generate_series(1, 5000) i;
CREATE UNIQUE INDEX ON texts (i);
VACUUM ANALYZE texts;
