-- Runs in one transaction whose search_path is the schema of the store, then
-- that of pgvector.

-- owner is the first half of the SHA-256 of a user's name: made by the program,
-- so that nothing needs to be looked up to know in which partition a user is.

-- generation goes up in every transaction that changes what the user can find.
-- It begins anywhere, so that a database put in the place of another is noticed.
-- Whoever changes the list of a user's documents locks the user's row first.
CREATE TABLE owners (
    owner      uuid   NOT NULL PRIMARY KEY,
    name       bytea  NOT NULL,
    generation bigint NOT NULL DEFAULT (1 + (random() * 1e12)::bigint)
) PARTITION BY HASH (owner);

CREATE TABLE models (
    key        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text    NOT NULL,
    dimensions integer NOT NULL,
    UNIQUE (name, dimensions)
);

-- Numbers documents in the order they came, and bodies.
CREATE SEQUENCE keys;

-- What a document holds (upload, chunks, vectors, segment) hangs on its body, a
-- number never used twice. A body that no document points to is waste.
CREATE TABLE documents (
    owner         uuid        NOT NULL,
    id            uuid        NOT NULL,
    key           bigint      NOT NULL DEFAULT nextval('keys'),
    body          bigint      NOT NULL,
    filename      text        NOT NULL,
    folded        text        NOT NULL COLLATE "C", -- filename without case, to be looked up by part
    media_type    text        NOT NULL DEFAULT '',
    title         text        NOT NULL DEFAULT '',
    status        text        NOT NULL CHECK (status IN ('queued', 'parsing', 'embedding', 'ready', 'failed', 'canceled')),
    done          integer     NOT NULL DEFAULT 0,
    total         integer     NOT NULL DEFAULT 0,
    error_code    text        NOT NULL DEFAULT '',
    error_message text        NOT NULL DEFAULT '',
    waiting       text        NOT NULL DEFAULT '',
    bytes         bigint      NOT NULL,
    sha256        text        NOT NULL,
    pages         integer     NOT NULL DEFAULT 0,
    chunks        integer     NOT NULL DEFAULT 0,
    tokens        bigint      NOT NULL DEFAULT 0,
    model         integer, -- of a ready document's vectors
    next_model    integer, -- that all its passages have a vector of too
    old_vectors   boolean     NOT NULL DEFAULT false, -- there may be some of a model no longer in use
    replaces      boolean     NOT NULL,
    staged        boolean     NOT NULL DEFAULT false,
    attempt       integer     NOT NULL DEFAULT 0,
    lease         text        NOT NULL DEFAULT '', -- '': nobody's
    due_at        timestamptz NOT NULL,            -- of a leased document, when the lease runs out
    segment_form  integer     NOT NULL DEFAULT 0,  -- which analysis made its segment
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (owner, id),
    UNIQUE (owner, key)
) PARTITION BY HASH (owner);

CREATE UNIQUE INDEX documents_content ON documents (owner, sha256)
    WHERE status IN ('queued', 'parsing', 'embedding', 'ready');
CREATE INDEX documents_pending ON documents (owner, key) INCLUDE (due_at, lease, status)
    WHERE status IN ('queued', 'parsing', 'embedding');
CREATE UNIQUE INDEX documents_body ON documents (owner, body);
CREATE INDEX documents_filename ON documents (owner, filename);

CREATE TABLE chunks (
    owner         uuid    NOT NULL,
    body          bigint  NOT NULL,
    idx           integer NOT NULL,
    content       text    NOT NULL,
    section_path  text, -- JSON; NULL outside any section
    section_title text    NOT NULL,
    page_start    integer NOT NULL,
    page_end      integer NOT NULL,
    tokens        integer NOT NULL,
    PRIMARY KEY (owner, body, idx)
) PARTITION BY HASH (owner);

-- Vectors of all models and dimensions, of unit length. Those of one model and
-- partition get an index of their own (a graph) when a user has many.
CREATE TABLE vectors (
    owner uuid    NOT NULL,
    model integer NOT NULL,
    body  bigint  NOT NULL,
    idx   integer NOT NULL,
    v     vector  NOT NULL,
    PRIMARY KEY (owner, body, model, idx)
) PARTITION BY HASH (owner);

-- kind: 0 upload, 1 segment (the words of a document, as posting lists). In
-- parts, so that nothing large is ever held whole by the server.
CREATE TABLE blobs (
    owner uuid     NOT NULL,
    body  bigint   NOT NULL,
    kind  smallint NOT NULL,
    part  integer  NOT NULL,
    data  bytea    NOT NULL,
    PRIMARY KEY (owner, body, kind, part)
) PARTITION BY HASH (owner);

-- Bodies to be removed, from keep_until on: those that somebody is still
-- filling are waste in advance, in case they never finish.
CREATE TABLE waste (
    owner      uuid        NOT NULL,
    body       bigint      NOT NULL,
    keep_until timestamptz NOT NULL,
    PRIMARY KEY (owner, body)
) PARTITION BY HASH (owner);
CREATE INDEX waste_due ON waste (keep_until);

-- The key that cursors of lists are enciphered with.
CREATE TABLE secrets (cursors bytea NOT NULL);
INSERT INTO secrets VALUES (uuid_send(gen_random_uuid()));

-- One row. live: the model that questions are asked with; NULL: as long as
-- nobody said. target: the one that documents are being moved to. Who locks it
-- does so before anything else.
CREATE TABLE moves (live integer, target integer);
INSERT INTO moves VALUES (NULL, NULL);

-- What is done by one server at a time.
CREATE TABLE chores (
    name  text        NOT NULL PRIMARY KEY,
    until timestamptz NOT NULL
);

DO $$
DECLARE
    parent text;
    part text;
    tab text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['owners', 'documents', 'chunks', 'vectors', 'blobs', 'waste'] LOOP
        FOR i IN 0..15 LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s)', parent || '_' || i, parent, i);
        END LOOP;
        -- A partition can be read by itself, so each has the policies too.
        FOREACH tab IN ARRAY ARRAY[parent] || ARRAY(SELECT parent || '_' || n FROM generate_series(0, 15) n) LOOP
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
            EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
            EXECUTE format('CREATE POLICY own ON %I USING (owner = (SELECT nullif(current_setting(''weir.owner'', true), '''')::uuid))', tab);
            IF parent IN ('owners', 'documents', 'waste') THEN
                EXECUTE format('CREATE POLICY queue ON %I USING ((SELECT current_setting(''weir.scope'', true) = ''queue''))', tab);
            END IF;
        END LOOP;
    END LOOP;
    FOR i IN 0..15 LOOP
        -- A vector of up to 2,000 dimensions stays in its row, where a scan finds it without a second look-up.
        EXECUTE format('ALTER TABLE %I SET (toast_tuple_target = 8160)', 'vectors_' || i);
        -- Uploads and segments are compressed already, or random.
        EXECUTE format('ALTER TABLE %I ALTER COLUMN data SET STORAGE EXTERNAL', 'blobs_' || i);
    END LOOP;
END
$$;
