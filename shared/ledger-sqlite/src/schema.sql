-- Version 1 of the file. A version that was released is never edited: the next one is a new file.

-- What was appended, all logs together; a position is used once, also after its entry has left.
CREATE TABLE entries (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    log      TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL,
    headers  TEXT    NOT NULL, -- a line each, "name:value"
    payload  BLOB    NOT NULL
) STRICT;
CREATE INDEX entries_by_log ON entries (log, position);
CREATE INDEX entries_by_subject ON entries (log, subject, position);

-- How far each shared consumer has been handed entries.
CREATE TABLE consumers (
    log    TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY (log, name)
) STRICT, WITHOUT ROWID;

-- Entries before the cursor that are not done.
CREATE TABLE handed (
    log      TEXT    NOT NULL,
    consumer TEXT    NOT NULL,
    position INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    due_ms   INTEGER NOT NULL, -- handed out again from then on
    held     INTEGER NOT NULL, -- 1 while somebody works on it
    PRIMARY KEY (log, consumer, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX handed_by_due ON handed (log, consumer, due_ms, position);

-- Work queues.
CREATE TABLE messages (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    queue   TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    at_ms   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    due_ms  INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    headers TEXT    NOT NULL,
    payload BLOB    NOT NULL
) STRICT;
CREATE INDEX messages_by_due ON messages (queue, due_ms, id);

-- Keys of work that was enqueued lately, done or not.
CREATE TABLE keys (
    queue TEXT    NOT NULL,
    key   TEXT    NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_by_age ON keys (at_ms);
