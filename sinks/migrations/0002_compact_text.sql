-- needs: 20.3
-- Smaller texts, and a way to one call by its id; older servers know neither codecs nor bloom_filter.
ALTER TABLE calls MODIFY COLUMN `receipt` String CODEC(ZSTD(3));
ALTER TABLE calls MODIFY COLUMN `details` String CODEC(ZSTD(3));
ALTER TABLE contacts MODIFY COLUMN `text` String CODEC(ZSTD(3));
ALTER TABLE contacts MODIFY COLUMN `details` String CODEC(ZSTD(3));
ALTER TABLE states MODIFY COLUMN `details` String CODEC(ZSTD(3));
ALTER TABLE calls ADD INDEX IF NOT EXISTS calls_by_id `call_id` TYPE bloom_filter GRANULARITY 4;
