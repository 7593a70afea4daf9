-- What of a document could not be read.
ALTER TABLE documents ADD COLUMN warning text NOT NULL DEFAULT '';
