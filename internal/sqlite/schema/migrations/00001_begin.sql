-- +goose Up

-- A generation goes up in every transaction that changes what the user can
-- find; indexes in memory know by it whether they are up to date.
CREATE TABLE users (
    key        INTEGER PRIMARY KEY,
    name       BLOB    NOT NULL UNIQUE,
    generation INTEGER NOT NULL DEFAULT 0,
    documents  INTEGER NOT NULL DEFAULT 0 -- ever added; numbers documents.seq
) STRICT;

-- The key goes into eight bits of vectors.id.
CREATE TABLE models (
    key        INTEGER PRIMARY KEY CHECK (key BETWEEN 1 AND 255),
    name       TEXT    NOT NULL,
    dimensions INTEGER NOT NULL,
    UNIQUE (name, dimensions)
) STRICT;

-- What a document holds (upload, chunks, vectors, derived indexes) hangs on
-- its body, a number that is never used twice. A body that no document points
-- to any more is waste, whatever is still stored under it.
CREATE TABLE bodies (last INTEGER NOT NULL) STRICT;
INSERT INTO bodies VALUES (0);

CREATE TABLE documents (
    key           INTEGER PRIMARY KEY AUTOINCREMENT,
    user          INTEGER NOT NULL REFERENCES users (key),
    seq           INTEGER NOT NULL, -- counts the user's own documents, so that a cursor tells nothing of others
    id            TEXT    NOT NULL UNIQUE,
    body          INTEGER NOT NULL UNIQUE,
    filename      TEXT    NOT NULL,
    folded        BLOB    NOT NULL, -- filename without case, to be looked up by part
    media_type    TEXT    NOT NULL DEFAULT '',
    title         TEXT    NOT NULL DEFAULT '',
    status        TEXT    NOT NULL CHECK (status IN ('queued', 'parsing', 'embedding', 'ready', 'failed', 'canceled')),
    done          INTEGER NOT NULL DEFAULT 0,
    total         INTEGER NOT NULL DEFAULT 0,
    error_code    TEXT    NOT NULL DEFAULT '',
    error_message TEXT    NOT NULL DEFAULT '',
    waiting       TEXT    NOT NULL DEFAULT '',
    bytes         INTEGER NOT NULL,
    sha256        TEXT    NOT NULL,
    pages         INTEGER NOT NULL DEFAULT 0,
    chunks        INTEGER NOT NULL DEFAULT 0,
    tokens        INTEGER NOT NULL DEFAULT 0,
    model         INTEGER REFERENCES models (key), -- of a ready document's vectors
    replaces      INTEGER NOT NULL,
    staged        INTEGER NOT NULL DEFAULT 0,
    attempt       INTEGER NOT NULL DEFAULT 0,
    lease         TEXT    NOT NULL DEFAULT '', -- '': nobody's
    due_at        INTEGER NOT NULL,            -- unix ns; of a leased document, when the lease runs out
    segment_bytes INTEGER NOT NULL DEFAULT 0,
    segment_form  INTEGER NOT NULL DEFAULT 0,  -- which analysis made it
    block_bytes   INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (user, seq)
) STRICT;

CREATE UNIQUE INDEX documents_content ON documents (user, sha256)
    WHERE status IN ('queued', 'parsing', 'embedding', 'ready');
CREATE INDEX documents_pending ON documents (user, due_at, lease, status)
    WHERE status IN ('queued', 'parsing', 'embedding');
CREATE INDEX documents_status ON documents (user, status);
CREATE INDEX documents_filename ON documents (user, filename);

-- Rows below are found by arithmetic on body, not by foreign keys, so that one
-- is read in one step and a body's lie together.

-- id: body << 20 | index of the chunk
CREATE TABLE chunks (
    id            INTEGER PRIMARY KEY,
    content       TEXT    NOT NULL,
    section_path  TEXT, -- JSON; NULL outside any section
    section_title TEXT    NOT NULL,
    page_start    INTEGER NOT NULL,
    page_end      INTEGER NOT NULL,
    tokens        INTEGER NOT NULL
) STRICT;

-- id: body << 28 | index of the chunk << 8 | models.key; data: float32, little endian
CREATE TABLE vectors (
    id   INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

-- How many chunks of a body have a vector of a model, and the first that has none.
CREATE TABLE coverage (
    body    INTEGER NOT NULL,
    model   INTEGER NOT NULL,
    vectors INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    PRIMARY KEY (body, model)
) STRICT, WITHOUT ROWID;

-- id: body << 20 | kind << 18 | part. Kinds: 0 upload, 1 segment, 2 block.
-- Cut into parts so that no connection ever holds a large one whole.
CREATE TABLE blobs (
    id   INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE centers (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    user    INTEGER NOT NULL REFERENCES users (key),
    model   INTEGER NOT NULL REFERENCES models (key),
    made_of INTEGER NOT NULL, -- how many vectors the user had then
    vectors INTEGER NOT NULL, -- how many the user has come to have since, removed ones included
    data    BLOB    NOT NULL
) STRICT;
CREATE INDEX centers_user ON centers (user, model);

-- Bodies to be removed, from keep_until (unix ns) on: those that somebody is
-- still filling are waste in advance, in case they never finish.
CREATE TABLE waste (
    body       INTEGER PRIMARY KEY,
    keep_until INTEGER NOT NULL
) STRICT;
