-- +goose Up

-- While documents are moved to another model, the block of the new one is kept
-- beside that of the one in use, and takes its place in one step.
ALTER TABLE documents ADD COLUMN block_kind INTEGER NOT NULL DEFAULT 2; -- under which kind of blob the block in use is
ALTER TABLE documents ADD COLUMN next_model INTEGER REFERENCES models (key); -- that the other kind holds a block of
ALTER TABLE documents ADD COLUMN next_block_bytes INTEGER NOT NULL DEFAULT 0;

-- One row. live: the model that questions are asked with; NULL: as long as
-- nobody said. target: the one that documents are being moved to.
CREATE TABLE moves (
    live   INTEGER REFERENCES models (key),
    target INTEGER REFERENCES models (key)
) STRICT;
INSERT INTO moves VALUES (NULL, NULL);
