-- The history. Works on every server from 18.16 on: no DateTime64, no TTL, no codecs.
-- Times are milliseconds since the epoch (UTC). Rows of one event have one key, and of these the row that arrived
-- first has the highest row_version, so that repeats and re-routed records leave one row (FINAL).

-- One row a phase from yupan.call.v1, and one a phase from yupan.tagged-call.v1 (tagged = 1: segment, receipt).
-- Read them together by call_id with min, max and argMax: repeats change nothing. msisdn is '' when unknown.
CREATE TABLE IF NOT EXISTS calls (
    `msisdn` String,
    `call_id` String,
    `phase` String,
    `hotline` String,
    `brand` String,
    `need` String,
    `pool` String,
    `seat` String,
    `staff` String,
    `outcome` String,
    `segment` String,
    `priority` Nullable(Int64),
    `wait_ms` Nullable(Int64),
    `talk_ms` Nullable(Int64),
    `details` String,
    `receipt` String,
    `tagged` UInt8,
    `keyed_by_call` UInt8,
    `occurred_at` Int64,
    `ce_source` String,
    `ce_id` String,
    `sequence` Nullable(Int64),
    `arrival_topic` String,
    `arrival_partition` Int64,
    `arrival_offset` Int64,
    `arrived_at` Int64,
    `row_version` UInt64,
    `inserted_at` DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(toDateTime(intDiv(occurred_at, 1000), 'UTC'))
ORDER BY (`msisdn`, `occurred_at`, `call_id`, `phase`, `tagged`, `ce_source`, `ce_id`);

-- Contacts of every channel.
CREATE TABLE IF NOT EXISTS contacts (
    `msisdn` String,
    `contact_id` String,
    `channel` String,
    `direction` String,
    `kind` String,
    `subject` String,
    `text` String,
    `status` String,
    `order_id` String,
    `staff` String,
    `handle` String,
    `audience` Nullable(Int64),
    `score` Nullable(Int64),
    `details` String,
    `occurred_at` Int64,
    `ce_source` String,
    `ce_id` String,
    `sequence` Nullable(Int64),
    `arrival_topic` String,
    `arrival_partition` Int64,
    `arrival_offset` Int64,
    `arrived_at` Int64,
    `row_version` UInt64,
    `inserted_at` DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(toDateTime(intDiv(occurred_at, 1000), 'UTC'))
ORDER BY (`msisdn`, `occurred_at`, `contact_id`, `ce_source`, `ce_id`);

-- What each system said about a customer, occurrences (charges, gifts) included. value, previous: JSON.
CREATE TABLE IF NOT EXISTS states (
    `msisdn` String,
    `system` String,
    `attribute` String,
    `transaction` String,
    `region` String,
    `reason` String,
    `value` String,
    `previous` String,
    `details` String,
    `occurred_at` Int64,
    `ce_source` String,
    `ce_id` String,
    `sequence` Nullable(Int64),
    `arrival_topic` String,
    `arrival_partition` Int64,
    `arrival_offset` Int64,
    `arrived_at` Int64,
    `row_version` UInt64,
    `inserted_at` DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(toDateTime(intDiv(occurred_at, 1000), 'UTC'))
ORDER BY (`msisdn`, `occurred_at`, `system`, `attribute`, `ce_source`, `ce_id`);

-- One row a fact of yupan.customer.v1. value: JSON, null removes.
CREATE TABLE IF NOT EXISTS facts (
    `msisdn` String,
    `fact` String,
    `value` String,
    `occurred_at` Int64,
    `ce_source` String,
    `ce_id` String,
    `sequence` Nullable(Int64),
    `arrival_topic` String,
    `arrival_partition` Int64,
    `arrival_offset` Int64,
    `arrived_at` Int64,
    `row_version` UInt64,
    `inserted_at` DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(toDateTime(intDiv(occurred_at, 1000), 'UTC'))
ORDER BY (`msisdn`, `occurred_at`, `fact`, `ce_source`, `ce_id`);

-- Entries of lists; REPLACED of a whole list stands under msisdn ''.
CREATE TABLE IF NOT EXISTS lists (
    `msisdn` String,
    `list` String,
    `action` String,
    `version` String,
    `name` String,
    `station` String,
    `valid_from` Nullable(Int64),
    `valid_to` Nullable(Int64),
    `guidance` String,
    `wording` String,
    `occurred_at` Int64,
    `ce_source` String,
    `ce_id` String,
    `sequence` Nullable(Int64),
    `arrival_topic` String,
    `arrival_partition` Int64,
    `arrival_offset` Int64,
    `arrived_at` Int64,
    `row_version` UInt64,
    `inserted_at` DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(toDateTime(intDiv(occurred_at, 1000), 'UTC'))
ORDER BY (`msisdn`, `occurred_at`, `list`, `ce_source`, `ce_id`);

-- One row a change of an anomaly's status.
CREATE TABLE IF NOT EXISTS anomalies (
    `msisdn` String,
    `anomaly_id` String,
    `cell` String,
    `region` String,
    `check` String,
    `status` String,
    `severity` String,
    `cause_code` String,
    `trigger_id` String,
    `reason` String,
    `opened_at` Nullable(Int64),
    `evidence` String,
    `cause` String,
    `wording` String,
    `guidance` String,
    `occurred_at` Int64,
    `ce_source` String,
    `ce_id` String,
    `sequence` Nullable(Int64),
    `arrival_topic` String,
    `arrival_partition` Int64,
    `arrival_offset` Int64,
    `arrived_at` Int64,
    `row_version` UInt64,
    `inserted_at` DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(toDateTime(intDiv(occurred_at, 1000), 'UTC'))
ORDER BY (`msisdn`, `occurred_at`, `anomaly_id`, `ce_source`, `ce_id`);

-- One row a change of a reminder; withdrawn = 1 is the tombstone.
CREATE TABLE IF NOT EXISTS reminders (
    `msisdn` String,
    `reminder_id` String,
    `kind` String,
    `progress` String,
    `severity` String,
    `source_id` String,
    `expires_at` Nullable(Int64),
    `title` String,
    `cause` String,
    `wording` String,
    `guidance` String,
    `withdrawn` UInt8,
    `occurred_at` Int64,
    `ce_source` String,
    `ce_id` String,
    `sequence` Nullable(Int64),
    `arrival_topic` String,
    `arrival_partition` Int64,
    `arrival_offset` Int64,
    `arrived_at` Int64,
    `row_version` UInt64,
    `inserted_at` DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(toDateTime(intDiv(occurred_at, 1000), 'UTC'))
ORDER BY (`msisdn`, `occurred_at`, `reminder_id`, `ce_source`, `ce_id`);

-- One row a step of a ticket.
CREATE TABLE IF NOT EXISTS tickets (
    `msisdn` String,
    `ticket_id` String,
    `action` String,
    `class` String,
    `segment` String,
    `text` String,
    `region` String,
    `staff` String,
    `call_id` String,
    `occurred_at` Int64,
    `ce_source` String,
    `ce_id` String,
    `sequence` Nullable(Int64),
    `arrival_topic` String,
    `arrival_partition` Int64,
    `arrival_offset` Int64,
    `arrived_at` Int64,
    `row_version` UInt64,
    `inserted_at` DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(toDateTime(intDiv(occurred_at, 1000), 'UTC'))
ORDER BY (`msisdn`, `occurred_at`, `ticket_id`, `ce_source`, `ce_id`);

-- One row a step of a retention task.
CREATE TABLE IF NOT EXISTS tasks (
    `msisdn` String,
    `task_id` String,
    `action` String,
    `product` String,
    `policy` String,
    `script` String,
    `owner` String,
    `due_at` Nullable(Int64),
    `priority` Nullable(Int64),
    `occurred_at` Int64,
    `ce_source` String,
    `ce_id` String,
    `sequence` Nullable(Int64),
    `arrival_topic` String,
    `arrival_partition` Int64,
    `arrival_offset` Int64,
    `arrived_at` Int64,
    `row_version` UInt64,
    `inserted_at` DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(toDateTime(intDiv(occurred_at, 1000), 'UTC'))
ORDER BY (`msisdn`, `occurred_at`, `task_id`, `ce_source`, `ce_id`);
