-- Who moves all documents to another model: one at a time. One row; a table of
-- its own, so that neither this migration nor a sign of life waits for those who
-- lock moves, which everybody does who publishes. A server of version 1 does not
-- know it: its moves go on beside the one that has the lease, as they did.

-- token is the key, so that FOR KEY SHARE keeps the lease from being taken, and
-- not from being renewed. '': nobody's. Who locks it does so after moves and
-- before anything else.
CREATE TABLE move_lease (
    token    text        NOT NULL PRIMARY KEY,
    target   integer,     -- the model
    began_at timestamptz,
    until    timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO move_lease (token) VALUES ('');
