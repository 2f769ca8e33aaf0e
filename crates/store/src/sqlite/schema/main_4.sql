-- How the holders of a key are served: a tier of the configuration.
ALTER TABLE api_keys ADD COLUMN tier TEXT;
