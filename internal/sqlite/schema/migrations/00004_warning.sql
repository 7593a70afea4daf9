-- +goose Up

ALTER TABLE documents ADD COLUMN warning TEXT NOT NULL DEFAULT ''; -- what of it could not be read
