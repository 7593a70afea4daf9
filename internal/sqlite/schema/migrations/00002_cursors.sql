-- +goose Up

-- The key that cursors of lists are enciphered with.
CREATE TABLE cursors (secret BLOB NOT NULL) STRICT;
INSERT INTO cursors VALUES (randomblob(16));
