CREATE TABLE owner (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL,
  phone      TEXT    NOT NULL,
  email      TEXT,
  town       TEXT    NOT NULL,
  on_hold    INTEGER NOT NULL DEFAULT 0 CHECK (on_hold IN (0, 1)),      -- only urgent visits may be booked
  reminders  INTEGER NOT NULL DEFAULT 1 CHECK (reminders IN (0, 1)),    -- wants to be reminded
  since      TEXT    NOT NULL
) STRICT;

CREATE TABLE animal (
  id        INTEGER PRIMARY KEY,
  owner_id  INTEGER NOT NULL REFERENCES owner (id),
  name      TEXT    NOT NULL,
  species   TEXT    NOT NULL CHECK (species IN ('dog', 'cat', 'rabbit', 'guinea pig', 'parrot')),
  breed     TEXT    NOT NULL,
  sex       TEXT    NOT NULL CHECK (sex IN ('female', 'male')),
  neutered  INTEGER NOT NULL CHECK (neutered IN (0, 1)),
  born_on   TEXT    NOT NULL,
  weight_g  INTEGER NOT NULL CHECK (weight_g BETWEEN 20 AND 120000),
  chip      TEXT,
  status    TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'deceased'))
) STRICT;

CREATE INDEX animal_by_owner ON animal (owner_id);

CREATE TABLE staff (
  id     INTEGER PRIMARY KEY,
  name   TEXT    NOT NULL UNIQUE,
  role   TEXT    NOT NULL CHECK (role IN ('vet', 'nurse', 'receptionist'))
) STRICT;

CREATE TABLE shift (
  id         INTEGER PRIMARY KEY,
  staff_id   INTEGER NOT NULL REFERENCES staff (id),
  on_date    TEXT    NOT NULL,
  starts_at  TEXT    NOT NULL,
  ends_at    TEXT    NOT NULL,
  UNIQUE (staff_id, on_date),
  CHECK (starts_at < ends_at AND date(starts_at) = on_date AND date(ends_at) = on_date)
) STRICT;

CREATE TABLE room (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  kind          TEXT    NOT NULL CHECK (kind IN ('consulting', 'theatre', 'kennel')),
  species       TEXT    CHECK (species IN ('dog', 'cat')),              -- kennels only, like the next two
  max_weight_g  INTEGER,
  night_cents   INTEGER,
  CHECK ((kind = 'kennel') = (species IS NOT NULL AND max_weight_g IS NOT NULL AND night_cents IS NOT NULL))
) STRICT;

CREATE TABLE appointment_type (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  minutes    INTEGER NOT NULL CHECK (minutes > 0 AND minutes % 15 = 0),
  role       TEXT    NOT NULL CHECK (role IN ('vet', 'nurse')),
  room_kind  TEXT    NOT NULL CHECK (room_kind IN ('consulting', 'theatre')),
  fee_cents  INTEGER NOT NULL CHECK (fee_cents >= 0),
  urgent     INTEGER NOT NULL CHECK (urgent IN (0, 1))
) STRICT;

CREATE TABLE appointment (
  id         INTEGER PRIMARY KEY,
  animal_id  INTEGER NOT NULL REFERENCES animal (id),
  type_id    INTEGER NOT NULL REFERENCES appointment_type (id),
  staff_id   INTEGER NOT NULL REFERENCES staff (id),
  room_id    INTEGER NOT NULL REFERENCES room (id),
  starts_at  TEXT    NOT NULL,
  ends_at    TEXT    NOT NULL,
  status     TEXT    NOT NULL CHECK (status IN ('booked', 'arrived', 'done', 'cancelled', 'no_show')),
  reason     TEXT    NOT NULL,
  findings   TEXT,                                                      -- the visit note, when done
  note       TEXT,                                                      -- why it was cancelled
  booked_at  TEXT    NOT NULL,
  CHECK (starts_at < ends_at),
  CHECK ((status = 'done') = (findings IS NOT NULL)),
  CHECK ((status = 'cancelled') = (note IS NOT NULL))
) STRICT;

CREATE INDEX appointment_by_time ON appointment (starts_at);

CREATE TABLE waiting (
  id              INTEGER PRIMARY KEY,
  animal_id       INTEGER NOT NULL REFERENCES animal (id),
  type_id         INTEGER NOT NULL REFERENCES appointment_type (id),
  from_on         TEXT    NOT NULL,                                     -- first and last day that suit the owner
  to_on           TEXT    NOT NULL,
  added_at        TEXT    NOT NULL,
  status          TEXT    NOT NULL CHECK (status IN ('waiting', 'booked', 'dropped')),
  appointment_id  INTEGER REFERENCES appointment (id),
  CHECK (from_on <= to_on),
  CHECK ((status = 'booked') = (appointment_id IS NOT NULL))
) STRICT;

CREATE TABLE kennel_stay (
  id         INTEGER PRIMARY KEY,
  animal_id  INTEGER NOT NULL REFERENCES animal (id),
  room_id    INTEGER NOT NULL REFERENCES room (id),
  from_on    TEXT    NOT NULL,
  to_on      TEXT    NOT NULL,                                          -- day of departure, free for the next
  status     TEXT    NOT NULL CHECK (status IN ('booked', 'in', 'out', 'cancelled')),
  care       TEXT,
  CHECK (from_on < to_on)
) STRICT;

CREATE TABLE medicine (
  id             INTEGER PRIMARY KEY,
  name           TEXT    NOT NULL UNIQUE,
  kind           TEXT    NOT NULL CHECK (kind IN ('medicine', 'vaccine')),
  unit           TEXT    NOT NULL CHECK (unit IN ('tablet', 'bottle', 'vial', 'pipette', 'dose')),
  price_cents    INTEGER NOT NULL CHECK (price_cents > 0),
  reorder_level  INTEGER NOT NULL CHECK (reorder_level >= 0),
  species        TEXT,                                                  -- vaccines only, like the next
  months         INTEGER,                                               -- a dose protects so long
  boarding       INTEGER NOT NULL DEFAULT 0 CHECK (boarding IN (0, 1)), -- needed for a kennel stay
  CHECK ((kind = 'vaccine') = (species IS NOT NULL AND months IS NOT NULL))
) STRICT;

CREATE TABLE batch (
  id           INTEGER PRIMARY KEY,
  medicine_id  INTEGER NOT NULL REFERENCES medicine (id),
  lot          TEXT    NOT NULL,
  received_on  TEXT    NOT NULL,
  expires_on   TEXT    NOT NULL,                                        -- last usable day
  received     INTEGER NOT NULL CHECK (received > 0),
  on_hand      INTEGER NOT NULL CHECK (on_hand BETWEEN 0 AND received),
  UNIQUE (medicine_id, lot)
) STRICT;

CREATE TABLE prescription (
  id           INTEGER PRIMARY KEY,
  animal_id    INTEGER NOT NULL REFERENCES animal (id),
  medicine_id  INTEGER NOT NULL REFERENCES medicine (id),
  vet_id       INTEGER NOT NULL REFERENCES staff (id),
  written_on   TEXT    NOT NULL,
  valid_until  TEXT    NOT NULL,
  quantity     INTEGER NOT NULL CHECK (quantity > 0),                   -- units in one supply
  days         INTEGER NOT NULL CHECK (days > 0),                       -- one supply lasts so long
  supplies     INTEGER NOT NULL CHECK (supplies > 0),
  supplied     INTEGER NOT NULL DEFAULT 0 CHECK (supplied BETWEEN 0 AND supplies),
  directions   TEXT    NOT NULL,
  status       TEXT    NOT NULL CHECK (status IN ('open', 'completed', 'cancelled')),
  CHECK ((status = 'completed') = (supplied = supplies))
) STRICT;

CREATE TABLE vaccination (
  id           INTEGER PRIMARY KEY,
  animal_id    INTEGER NOT NULL REFERENCES animal (id),
  medicine_id  INTEGER NOT NULL REFERENCES medicine (id),
  given_on     TEXT    NOT NULL,
  due_on       TEXT    NOT NULL,                                        -- when the next dose is due
  reminded_on  TEXT,
  channel      TEXT    CHECK (channel IN ('sms', 'email', 'letter')),
  UNIQUE (animal_id, medicine_id, given_on),
  CHECK (given_on < due_on),
  CHECK ((reminded_on IS NULL) = (channel IS NULL))
) STRICT;

CREATE TABLE invoice (
  id         INTEGER PRIMARY KEY,
  owner_id   INTEGER NOT NULL REFERENCES owner (id),
  status     TEXT    NOT NULL CHECK (status IN ('draft', 'issued', 'paid', 'void')),
  opened_on  TEXT    NOT NULL,
  issued_on  TEXT,
  due_on     TEXT,
  CHECK ((status = 'draft') = (issued_on IS NULL)),
  CHECK ((issued_on IS NULL) = (due_on IS NULL))
) STRICT;

CREATE UNIQUE INDEX one_draft_an_owner ON invoice (owner_id) WHERE status = 'draft';

CREATE TABLE invoice_line (
  id               INTEGER PRIMARY KEY,
  invoice_id       INTEGER NOT NULL REFERENCES invoice (id),
  animal_id        INTEGER NOT NULL REFERENCES animal (id),
  kind             TEXT    NOT NULL CHECK (kind IN ('visit', 'medicine', 'vaccine', 'kennel', 'other')),
  description      TEXT    NOT NULL,
  quantity         INTEGER NOT NULL CHECK (quantity > 0),
  unit_cents       INTEGER NOT NULL CHECK (unit_cents >= 0),
  added_on         TEXT    NOT NULL,
  appointment_id   INTEGER UNIQUE REFERENCES appointment (id),
  stay_id          INTEGER UNIQUE REFERENCES kennel_stay (id),
  prescription_id  INTEGER REFERENCES prescription (id),
  batch_id         INTEGER REFERENCES batch (id),
  CHECK ((kind = 'visit') = (appointment_id IS NOT NULL)),
  CHECK ((kind = 'kennel') = (stay_id IS NOT NULL)),
  CHECK ((kind = 'medicine') = (prescription_id IS NOT NULL)),
  CHECK ((kind IN ('medicine', 'vaccine')) = (batch_id IS NOT NULL))
) STRICT;

CREATE INDEX line_by_invoice ON invoice_line (invoice_id);

CREATE TABLE policy (
  id             INTEGER PRIMARY KEY,
  animal_id      INTEGER NOT NULL REFERENCES animal (id),
  insurer        TEXT    NOT NULL,
  number         TEXT    NOT NULL UNIQUE,
  starts_on      TEXT    NOT NULL,
  ends_on        TEXT    NOT NULL,
  excess_cents   INTEGER NOT NULL CHECK (excess_cents >= 0),            -- the owner's own part of every claim
  cover_percent  INTEGER NOT NULL CHECK (cover_percent BETWEEN 1 AND 100),
  limit_cents    INTEGER NOT NULL CHECK (limit_cents > 0),              -- for the whole term
  CHECK (starts_on < ends_on)
) STRICT;

CREATE TABLE claim (
  id             INTEGER PRIMARY KEY,
  policy_id      INTEGER NOT NULL REFERENCES policy (id),
  invoice_id     INTEGER NOT NULL REFERENCES invoice (id),
  claimed_cents  INTEGER NOT NULL CHECK (claimed_cents > 0),
  status         TEXT    NOT NULL CHECK (status IN ('submitted', 'paid', 'rejected')),
  filed_on       TEXT    NOT NULL,
  decided_on     TEXT,
  paid_cents     INTEGER CHECK (paid_cents BETWEEN 1 AND claimed_cents),
  reason         TEXT,
  CHECK ((status = 'submitted') = (decided_on IS NULL)),
  CHECK ((status = 'paid') = (paid_cents IS NOT NULL)),
  CHECK (status <> 'rejected' OR reason IS NOT NULL)
) STRICT;

CREATE TABLE payment (
  id          INTEGER PRIMARY KEY,
  invoice_id  INTEGER NOT NULL REFERENCES invoice (id),
  kind        TEXT    NOT NULL CHECK (kind IN ('payment', 'refund')),
  cents       INTEGER NOT NULL CHECK (cents > 0),
  method      TEXT    NOT NULL CHECK (method IN ('card', 'cash', 'transfer', 'insurer')),
  paid_at     TEXT    NOT NULL,
  staff_id    INTEGER NOT NULL REFERENCES staff (id),
  refund_of   INTEGER REFERENCES payment (id),
  claim_id    INTEGER UNIQUE REFERENCES claim (id),
  CHECK ((kind = 'refund') = (refund_of IS NOT NULL)),
  CHECK ((method = 'insurer') = (claim_id IS NOT NULL))
) STRICT;

-- The visits that keep a vet, a room and an animal from other visits.
CREATE VIEW busy AS
SELECT id AS appointment_id, animal_id, staff_id, room_id, starts_at, ends_at
FROM appointment WHERE status IN ('booked', 'arrived', 'done');

-- What a bill comes to. Only an issued bill owes; claimed is what insurers have been asked for and have not answered.
CREATE VIEW invoice_sum AS
SELECT s.*, CASE WHEN status = 'issued' THEN total_cents - paid_cents ELSE 0 END AS owed_cents
FROM (
  SELECT id AS invoice_id, owner_id, status, issued_on, due_on,
    (SELECT coalesce(sum(quantity * unit_cents), 0) FROM invoice_line WHERE invoice_id = invoice.id) AS total_cents,
    (SELECT coalesce(sum(CASE kind WHEN 'payment' THEN cents ELSE -cents END), 0) FROM payment WHERE invoice_id = invoice.id) AS paid_cents,
    (SELECT coalesce(sum(claimed_cents), 0) FROM claim WHERE invoice_id = invoice.id AND claim.status = 'submitted') AS claimed_cents
  FROM invoice
) AS s;

-- The last dose of each vaccine an animal has had.
CREATE VIEW latest_dose AS
SELECT vaccination.*, medicine.name AS vaccine, medicine.boarding
FROM vaccination JOIN medicine ON medicine.id = vaccination.medicine_id
WHERE NOT EXISTS (SELECT 1 FROM vaccination AS later
  WHERE later.animal_id = vaccination.animal_id AND later.medicine_id = vaccination.medicine_id AND later.given_on > vaccination.given_on);

-- What the claims of a policy have taken of its limit, and what is left.
CREATE VIEW policy_use AS
SELECT id AS policy_id, used_cents, limit_cents - used_cents AS left_cents
FROM (
  SELECT id, limit_cents,
    (SELECT coalesce(sum(coalesce(paid_cents, claimed_cents)), 0) FROM claim WHERE policy_id = policy.id AND status <> 'rejected') AS used_cents
  FROM policy
);

-- What a policy would pay towards an issued bill: its percentage of the animal's lines less the excess, rounded down,
-- at most what is left of the limit, and at most what is owed and not yet claimed.
CREATE VIEW claimable AS
SELECT policy_id, invoice_id, animal_cents,
  min(max(animal_cents - excess_cents, 0) * cover_percent / 100, left_cents, owed_cents - claimed_cents) AS cents
FROM (
  SELECT policy.id AS policy_id, s.invoice_id, excess_cents, cover_percent, left_cents, owed_cents, claimed_cents,
    (SELECT sum(quantity * unit_cents) FROM invoice_line WHERE invoice_id = s.invoice_id AND animal_id = policy.animal_id) AS animal_cents
  FROM policy JOIN policy_use ON policy_use.policy_id = policy.id JOIN invoice_sum AS s ON s.status = 'issued'
)
WHERE animal_cents IS NOT NULL;
