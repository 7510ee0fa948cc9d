CREATE TABLE staff (
  id    INTEGER PRIMARY KEY,
  name  TEXT    NOT NULL UNIQUE,
  role  TEXT    NOT NULL CHECK (role IN ('curator', 'seed analyst', 'collections assistant'))
) STRICT;

CREATE TABLE species (
  id             INTEGER PRIMARY KEY,
  name           TEXT    NOT NULL UNIQUE,
  common_name    TEXT,
  family         TEXT    NOT NULL,
  storage        TEXT    NOT NULL CHECK (storage IN ('freezer', 'chiller')),    -- the kind of unit its seed needs
  min_viability  INTEGER NOT NULL CHECK (min_viability BETWEEN 1 AND 100),
  reserve_grams  INTEGER NOT NULL CHECK (reserve_grams >= 0),                   -- stays in every active lot
  retest_months  INTEGER NOT NULL CHECK (retest_months > 0),
  protected      INTEGER NOT NULL DEFAULT 0 CHECK (protected IN (0, 1))         -- for research and restoration only
) STRICT;

CREATE TABLE unit (
  id              INTEGER PRIMARY KEY,
  name            TEXT    NOT NULL UNIQUE,
  kind            TEXT    NOT NULL CHECK (kind IN ('freezer', 'chiller')),
  setpoint_c      INTEGER NOT NULL,
  capacity_grams  INTEGER NOT NULL CHECK (capacity_grams > 0),
  status          TEXT    NOT NULL CHECK (status IN ('in service', 'defrosting'))
) STRICT;

CREATE TABLE accession (
  id            INTEGER PRIMARY KEY,
  number        TEXT    NOT NULL UNIQUE,
  species_id    INTEGER NOT NULL REFERENCES species (id),
  collected_on  TEXT    NOT NULL,
  place         TEXT    NOT NULL,
  collector     TEXT    NOT NULL,
  note          TEXT,
  UNIQUE (species_id, collected_on, place)
) STRICT;

CREATE TABLE lot (
  id              INTEGER PRIMARY KEY,
  code            TEXT    NOT NULL UNIQUE,
  accession_id    INTEGER NOT NULL REFERENCES accession (id),
  unit_id         INTEGER NOT NULL REFERENCES unit (id),
  kind            TEXT    NOT NULL CHECK (kind IN ('base', 'active')),
  banked_on       TEXT    NOT NULL,
  grams_banked    INTEGER NOT NULL CHECK (grams_banked > 0),
  grams_left      INTEGER NOT NULL CHECK (grams_left BETWEEN 0 AND grams_banked),   -- without what is set aside
  status          TEXT    NOT NULL DEFAULT 'banked' CHECK (status IN ('banked', 'quarantined', 'discarded')),
  reason          TEXT,                                                             -- of the quarantine or the discarding
  quarantined_by  INTEGER REFERENCES staff (id),
  CHECK ((status = 'banked') = (reason IS NULL)),
  CHECK ((status = 'quarantined') = (quarantined_by IS NOT NULL)),
  CHECK (status <> 'discarded' OR grams_left = 0)
) STRICT;

CREATE INDEX lot_by_accession ON lot (accession_id);

CREATE TABLE test (
  id           INTEGER PRIMARY KEY,
  lot_id       INTEGER NOT NULL REFERENCES lot (id),
  seeds_sown   INTEGER NOT NULL CHECK (seeds_sown > 0),
  set_up_on    TEXT    NOT NULL,
  due_on       TEXT    NOT NULL,                                                    -- day of the final count
  status       TEXT    NOT NULL CHECK (status IN ('running', 'done', 'stopped')),
  germinated   INTEGER CHECK (germinated BETWEEN 0 AND seeds_sown),
  finished_on  TEXT,
  analyst_id   INTEGER NOT NULL REFERENCES staff (id),
  CHECK (set_up_on < due_on),
  CHECK ((status = 'done') = (germinated IS NOT NULL)),
  CHECK ((status = 'running') = (finished_on IS NULL))
) STRICT;

CREATE UNIQUE INDEX one_running_test_a_lot ON test (lot_id) WHERE status = 'running';

CREATE TABLE institution (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  kind          TEXT    NOT NULL CHECK (kind IN ('botanic garden', 'university', 'restoration trust', 'school')),
  town          TEXT    NOT NULL,
  contact       TEXT    NOT NULL,
  email         TEXT,
  permit_until  TEXT                                                                -- last day of its permit to receive seed
) STRICT;

CREATE TABLE shipment (
  id              INTEGER PRIMARY KEY,
  institution_id  INTEGER NOT NULL REFERENCES institution (id),
  status          TEXT    NOT NULL CHECK (status IN ('packing', 'sent')),
  opened_on       TEXT    NOT NULL,
  sent_at         TEXT,
  sent_by         INTEGER REFERENCES staff (id),
  tracking        TEXT    UNIQUE,
  CHECK ((status = 'sent') = (sent_at IS NOT NULL)),
  CHECK ((sent_at IS NULL) = (sent_by IS NULL)),
  CHECK ((sent_at IS NULL) = (tracking IS NULL))
) STRICT;

CREATE UNIQUE INDEX one_packing_an_institution ON shipment (institution_id) WHERE status = 'packing';

CREATE TABLE request (
  id              INTEGER PRIMARY KEY,
  institution_id  INTEGER NOT NULL REFERENCES institution (id),
  species_id      INTEGER NOT NULL REFERENCES species (id),
  grams           INTEGER NOT NULL CHECK (grams > 0),
  purpose         TEXT    NOT NULL CHECK (purpose IN ('research', 'restoration', 'display', 'breeding')),
  received_on     TEXT    NOT NULL,
  needed_by       TEXT,
  status          TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'allocated', 'sent', 'declined', 'withdrawn')),
  lot_id          INTEGER REFERENCES lot (id),
  shipment_id     INTEGER REFERENCES shipment (id),
  note            TEXT,                                                             -- why it was declined or withdrawn
  CHECK ((status IN ('allocated', 'sent')) = (lot_id IS NOT NULL)),
  CHECK ((lot_id IS NULL) = (shipment_id IS NULL)),
  CHECK ((status IN ('declined', 'withdrawn')) = (note IS NOT NULL))
) STRICT;

CREATE INDEX request_by_lot ON request (lot_id);

-- A lot with all that decides what may be done with it. What is held is what lies in the unit, set aside or not.
CREATE VIEW lot_now AS
SELECT l.*, grams_left + set_aside_grams AS held_grams,
  coalesce(date(tested_on, '+' || retest_months || ' months'), banked_on) AS retest_due_on,
  CASE WHEN kind = 'active' AND status = 'banked' AND viability >= min_viability THEN max(grams_left - reserve_grams, 0) ELSE 0 END AS sendable_grams
FROM (
  SELECT lot.*, accession.number AS accession, accession.species_id, species.name AS species, species.storage, species.min_viability,
    species.reserve_grams, species.retest_months, unit.name AS unit,
    (SELECT germinated * 100 / seeds_sown FROM test WHERE lot_id = lot.id AND test.status = 'done' ORDER BY finished_on DESC, test.id DESC LIMIT 1) AS viability,
    (SELECT max(finished_on) FROM test WHERE lot_id = lot.id AND test.status = 'done') AS tested_on,
    EXISTS (SELECT 1 FROM test WHERE lot_id = lot.id AND test.status = 'running') AS in_test,
    (SELECT coalesce(sum(grams), 0) FROM request WHERE lot_id = lot.id AND request.status = 'allocated') AS set_aside_grams
  FROM lot JOIN accession ON accession.id = lot.accession_id JOIN species ON species.id = accession.species_id JOIN unit ON unit.id = lot.unit_id
) AS l;

-- How full each unit is.
CREATE VIEW unit_now AS
SELECT u.*, capacity_grams - used_grams AS free_grams
FROM (
  SELECT unit.*,
    (SELECT coalesce(sum(held_grams), 0) FROM lot_now WHERE unit_id = unit.id) AS used_grams,
    (SELECT count(*) FROM lot WHERE unit_id = unit.id AND lot.status <> 'discarded') AS lots
  FROM unit
) AS u;
