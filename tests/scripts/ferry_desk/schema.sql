CREATE TABLE agent (
  id    INTEGER PRIMARY KEY,
  name  TEXT    NOT NULL UNIQUE,
  role  TEXT    NOT NULL CHECK (role IN ('clerk', 'purser', 'duty manager'))
) STRICT;

CREATE TABLE vessel (
  id       INTEGER PRIMARY KEY,
  name     TEXT    NOT NULL UNIQUE,
  seats    INTEGER NOT NULL CHECK (seats > 0),
  deck_cm  INTEGER NOT NULL CHECK (deck_cm >= 0)      -- lane length of the vehicle deck; 0: takes no vehicles
) STRICT;

CREATE TABLE closure (
  id         INTEGER PRIMARY KEY,
  vessel_id  INTEGER NOT NULL REFERENCES vessel (id),
  from_on    TEXT    NOT NULL,
  to_on      TEXT    NOT NULL,                        -- last day out of service
  reason     TEXT    NOT NULL,
  agent_id   INTEGER NOT NULL REFERENCES agent (id),  -- who entered it
  CHECK (from_on <= to_on)
) STRICT;

CREATE TABLE route (
  id           INTEGER PRIMARY KEY,
  origin       TEXT    NOT NULL,
  destination  TEXT    NOT NULL,
  minutes      INTEGER NOT NULL CHECK (minutes > 0),
  adult_cents  INTEGER NOT NULL CHECK (adult_cents > 0),
  child_cents  INTEGER NOT NULL CHECK (child_cents > 0),
  metre_cents  INTEGER NOT NULL CHECK (metre_cents > 0), -- for each metre of a vehicle that is begun
  UNIQUE (origin, destination),
  CHECK (origin <> destination)
) STRICT;

CREATE TABLE sailing (
  id          INTEGER PRIMARY KEY,
  route_id    INTEGER NOT NULL REFERENCES route (id),
  vessel_id   INTEGER NOT NULL REFERENCES vessel (id),
  departs_at  TEXT    NOT NULL,
  status      TEXT    NOT NULL CHECK (status IN ('open', 'sailed', 'cancelled')),
  reason      TEXT,                                   -- why it was cancelled
  CHECK ((status = 'cancelled') = (reason IS NOT NULL))
) STRICT;

CREATE INDEX sailing_by_time ON sailing (departs_at);

CREATE TABLE customer (
  id        INTEGER PRIMARY KEY,
  name      TEXT    NOT NULL,
  phone     TEXT    NOT NULL,
  email     TEXT,
  resident  INTEGER NOT NULL DEFAULT 0 CHECK (resident IN (0, 1)),  -- an islander
  since     TEXT    NOT NULL
) STRICT;

CREATE TABLE booking (
  id           INTEGER PRIMARY KEY,
  customer_id  INTEGER NOT NULL REFERENCES customer (id),
  sailing_id   INTEGER NOT NULL REFERENCES sailing (id),
  adults       INTEGER NOT NULL CHECK (adults > 0),
  children     INTEGER NOT NULL DEFAULT 0 CHECK (children >= 0),
  vehicle      TEXT    CHECK (vehicle IN ('motorcycle', 'car', 'van', 'camper', 'lorry', 'coach')),
  length_cm    INTEGER CHECK (length_cm > 0),
  fare_cents   INTEGER NOT NULL CHECK (fare_cents >= 0),
  status       TEXT    NOT NULL CHECK (status IN ('confirmed', 'boarded', 'cancelled')),
  note         TEXT,                                  -- why it was cancelled, or what the crew should know
  booked_at    TEXT    NOT NULL,
  agent_id     INTEGER NOT NULL REFERENCES agent (id),
  CHECK ((vehicle IS NULL) = (length_cm IS NULL))
) STRICT;

CREATE INDEX booking_by_sailing ON booking (sailing_id);

CREATE TABLE payment (
  id          INTEGER PRIMARY KEY,
  booking_id  INTEGER NOT NULL REFERENCES booking (id),
  kind        TEXT    NOT NULL CHECK (kind IN ('payment', 'refund')),
  cents       INTEGER NOT NULL CHECK (cents > 0),
  method      TEXT    NOT NULL CHECK (method IN ('card', 'cash', 'transfer')),
  paid_at     TEXT    NOT NULL,
  agent_id    INTEGER NOT NULL REFERENCES agent (id)
) STRICT;

CREATE INDEX payment_by_booking ON payment (booking_id);

CREATE TABLE waiting (
  id           INTEGER PRIMARY KEY,
  sailing_id   INTEGER NOT NULL REFERENCES sailing (id),
  customer_id  INTEGER NOT NULL REFERENCES customer (id),
  adults       INTEGER NOT NULL CHECK (adults > 0),
  children     INTEGER NOT NULL DEFAULT 0 CHECK (children >= 0),
  vehicle      TEXT    CHECK (vehicle IN ('motorcycle', 'car', 'van', 'camper', 'lorry', 'coach')),
  length_cm    INTEGER CHECK (length_cm > 0),
  added_at     TEXT    NOT NULL,
  status       TEXT    NOT NULL CHECK (status IN ('waiting', 'served', 'withdrawn')),
  booking_id   INTEGER UNIQUE REFERENCES booking (id),
  CHECK ((vehicle IS NULL) = (length_cm IS NULL)),
  CHECK ((status = 'served') = (booking_id IS NOT NULL))
) STRICT;

-- How full a sailing is, and when it arrives.
CREATE VIEW sailing_load AS
SELECT s.*, seats - passengers AS free_seats, deck_cm - used_cm AS free_cm
FROM (
  SELECT sailing.id AS sailing_id, sailing.vessel_id, sailing.status, departs_at,
    strftime('%Y-%m-%dT%H:%M:%S', departs_at, '+' || minutes || ' minutes') AS arrives_at, seats, deck_cm,
    (SELECT coalesce(sum(adults + children), 0) FROM booking WHERE sailing_id = sailing.id AND booking.status <> 'cancelled') AS passengers,
    (SELECT coalesce(sum(length_cm), 0) FROM booking WHERE sailing_id = sailing.id AND booking.status <> 'cancelled') AS used_cm
  FROM sailing JOIN route ON route.id = route_id JOIN vessel ON vessel.id = vessel_id
) AS s;

-- What a booking would cost if it were made now.
CREATE VIEW fare_now AS
SELECT b.id AS booking_id,
  (adults * adult_cents + children * child_cents + (coalesce(length_cm, 0) + 99) / 100 * metre_cents)
    * CASE resident WHEN 1 THEN 60 ELSE 100 END / 100 AS cents
FROM booking AS b JOIN sailing ON sailing.id = sailing_id JOIN route ON route.id = route_id JOIN customer ON customer.id = customer_id;

-- What has been paid for a booking, less what was paid back, and what is still due; below 0, the customer has money back to come.
CREATE VIEW booking_due AS
SELECT b.*, CASE status WHEN 'cancelled' THEN 0 ELSE fare_cents - paid_cents END AS due_cents
FROM (
  SELECT id AS booking_id, customer_id, sailing_id, status, fare_cents,
    (SELECT coalesce(sum(CASE kind WHEN 'payment' THEN cents ELSE -cents END), 0) FROM payment WHERE booking_id = booking.id) AS paid_cents
  FROM booking
) AS b;
